"""Where the device port says no: HTTP that is none, messages that are none, clients that stall, and a full queue."""
from lib import *

STRANGER = get_eim_package(eid(9))                  # not enrolled: changes nothing
UNKNOWN = tlv("BF4F", "020102")                     # eidNotFound

server = Eimd()


@case
def broken_http_is_refused_and_the_connection_closed():
    head = "POST %s HTTP/1.1\r\nHost: localhost\r\n" % ASN1_PATH
    n = "Content-Length: %d\r\n" % len(STRANGER)
    for text, want in ((head + n + n + "\r\n", 400), (head + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
                       (head + "Content-Length: -1\r\n\r\n", 400), (head + "Content-Length: 99999999999999999999\r\n\r\n", None),
                       (head + "Content-Length: 70000\r\n\r\n", 413), (head.replace("HTTP/1.1", "HTTP/2.0") + "\r\n", 400),
                       (head + "X: " + "y" * 9000 + "\r\n\r\n", 431), (head.replace("\r\n", "\n") + "\n", 400),
                       (head + "a\0b: c\r\n\r\n", 400), (head + " folded\r\n\r\n", 400), ("POST  / HTTP/1.1\r\n\r\n", 400)):
        out = server.raw(text.encode() + STRANGER)      # returns: it was closed
        status = parse_reply(out).status
        check(status == want or want is None and status in (400, 413), text[:200], status)
    chunked = head + "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    ok = parse_reply(server.raw(chunked.encode() + b"%x\r\n%s\r\n0\r\n\r\n" % (len(STRANGER), STRANGER)))
    same(ok.status, 200, "chunked")
    same(ok.body, UNKNOWN)


@case
def malformed_messages_are_logged_once_with_place_and_counted():
    name = next(n for n in server.metrics() if "malformed" in n)
    before, lines = server.metrics()[name], server.log().count("E_MALFORMED")
    same(server.esipa(STRANGER[:-1]).status, 400)
    same(server.metrics()[name], before + 1, name)
    wait_for(lambda: server.log().count("E_MALFORMED") == lines + 1, "one log line")
    line = [l for l in server.log().splitlines() if "E_MALFORMED" in l][-1]
    check("clause=" in line and "status=400" in line, line)


def gone(sock):
    """Was the connection ended by the other side? Waits for it."""
    sock.settimeout(CALL_SECONDS)
    try:
        while sock.recv(4096):
            pass
        return True
    except (ConnectionResetError, ssl.SSLEOFError, BrokenPipeError):
        return True
    except (socket.timeout, TimeoutError):
        return False


@case
def mute_slow_and_idle_clients_are_cut_off():
    s = Eimd(settings={"device.header_max": "1k", "device.request_timeout": "1s", "device.idle_timeout": "4s"})
    text = "POST %s HTTP/1.1\r\nHost: localhost\r\nX: %s\r\n\r\n" % (ASN1_PATH, "y" * 1100)
    same(parse_reply(s.raw(text.encode())).status, 431)
    mute = s.plain()
    check(gone(mute), "one that never says hello is cut off")
    slow = s.context().wrap_socket(s.plain(), server_hostname="localhost")
    slow.sendall(text[:30].encode())
    slow.settimeout(CALL_SECONDS)
    answer = b""
    while True:
        more = slow.recv(4096)
        if not more:
            break
        answer += more
    same(parse_reply(answer).status, 408, "one that never ends its request")
    idle = s.context().wrap_socket(s.plain(), server_hostname="localhost")
    check(gone(idle), "one that never begins is cut off")
    s.stop()


@case
def a_full_queue_answers_503_with_retry_after():
    s = Eimd(settings={"device.queue": "1", "device.workers": "1", "device.retry_after": "7s", "device.request_timeout": "60s"})
    request = ("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (ASN1_PATH, len(STRANGER))).encode() + STRANGER
    seen = []

    def burst():
        """Requests of many connections that eimd finds all at once, after it was held for a moment."""
        sockets = [s.context().wrap_socket(s.plain(), server_hostname="localhost") for _ in range(48)]
        s.signal(signal.SIGSTOP)
        for t in sockets:
            t.sendall(request)
        s.signal(signal.SIGCONT)
        for t in sockets:
            r = http.client.HTTPResponse(t)
            r.begin()
            seen.append((r.status, r.headers["Retry-After"], r.read()))
            t.close()
        return any(status == 503 for status, _, _ in seen)

    wait_for(burst, "a 503")
    for status, retry, body in seen:
        same((status, retry, body), (503, "7", b"") if status == 503 else (200, None, UNKNOWN))
    check(any(status == 200 for status, _, _ in seen), "some are answered")
    s.stop()


main()
