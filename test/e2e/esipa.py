"""The device port over real TLS, with curl and openssl s_client as foreign clients: what a device meets, good or bad."""
from lib import *

POLL = get_eim_package(eid(1))                      # enrolled: each one is noted
STRANGER = get_eim_package(eid(9))                  # not enrolled: changes nothing
UNKNOWN = tlv("BF4F", "020102")                     # eidNotFound
NOTHING = tlv("BF4F", "020101")                     # noEimPackageAvailable

server = Eimd(settings={"log.level": "debug"})
server.post("/v1/devices", {"eid": eid(1)})


def state(s=server):
    """All that the API shows of what is stored."""
    devices = s.get("/v1/devices?limit=500")
    return [s.get("/v1/devices/" + d["eid"]) for d in devices["items"]], s.get("/v1/operations"), s.get("/v1/audit?limit=500")


def first_contact(body):
    """The first answer to a device is an IpaEuiccDataRequest (SGP.32 2.11.1.2)."""
    check(tlv_find(body, "BF4F", "BF52") is not None, "no data request:", body.hex())


# ---------------------------------------------------------------- TLS

@case
def curl_polls_over_tls_1_2_and_1_3():
    for options in (["--tlsv1.2", "--tls-max", "1.2"], ["--tlsv1.3"]):
        done = server.curl_esipa(POLL, *options)
        same(done.status, 0, options, done)
        first_contact(done.out)
        same(server.curl_esipa(STRANGER, *options).out, UNKNOWN, options)


@case
def s_client_polls_over_tls_1_2_and_1_3_and_verifies_the_certificate():
    for version in ("-tls1_2", "-tls1_3"):
        done, reply = server.s_client_esipa(STRANGER, version)
        same((done.status, reply.status, reply.body), (0, 200, UNKNOWN), version, done)
    old = server.s_client("-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0")
    check(old.status != 0 and b"alert protocol version" in old.err + old.out, "TLS 1.1", old)


@case
def sessions_are_resumed():
    text = "POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % (ASN1_PATH, len(STRANGER))
    for version in ("-tls1_2", "-tls1_3"):
        session = tmpdir() + "/session"
        first = server.s_client(version, "-ign_eof", "-sess_out", session, input=text.encode() + STRANGER)
        check(b"\nNew, " in first.out and os.path.exists(session), version, first)
        again = server.s_client(version, "-ign_eof", "-sess_in", session, input=text.encode() + STRANGER)
        check(b"\nReused, " in again.out and b"HTTP/1.1 200" in again.out, version, again)
    check(server.metrics()[next(n for n in server.metrics() if "handshakes_resumed" in n and "device" in n)] >= 2, "handshakes_resumed")


@case
def brainpool_for_those_who_know_nothing_else():
    d = tmpdir()
    cert, key = certificate(d, "brainpool", "brainpoolP256r1")
    s = Eimd(settings={"tls.brainpool_certificate": cert, "tls.brainpool_key": key})
    request = ("POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % (ASN1_PATH, len(STRANGER))).encode() + STRANGER
    done = s.s_client("-tls1_2", "-groups", "brainpoolP256r1", "-CAfile", cert, "-ign_eof", input=request)
    check(b"CN = brainpool" in done.out and b"HTTP/1.1 200" in done.out and UNKNOWN in done.out, done)
    for usual in (["-tls1_2"], ["-tls1_3"], ["-tls1_2", "-groups", "P-256:brainpoolP256r1"]):
        done = s.s_client(*usual, "-ign_eof", input=request)
        check(b"HTTP/1.1 200" in done.out and b"CN = brainpool" not in done.out, usual, done)
    s.stop()


@case
def a_connection_is_kept_for_more_requests():
    c = server.device()
    same(c.esipa(STRANGER).body, UNKNOWN)
    mine = c.http.sock.getsockname()
    same(c.esipa(STRANGER).body, UNKNOWN)
    same(c.esipa(b"\x00").status, 400)              # and an error does not end it
    same(c.esipa(STRANGER).body, UNKNOWN)
    same(c.http.sock.getsockname(), mine, "the same connection")
    c.close()
    url, body = "https://127.0.0.1:%d%s" % (server.device_port, ASN1_PATH), tmpdir() + "/body"
    with open(body, "wb") as f:
        f.write(STRANGER)
    done = server.curl("-H", "Content-Type: " + ASN1_TYPE, "--data-binary", "@" + body, "-w", "%{num_connects}", "-o", "/dev/null",
                       "-o", "/dev/null", url, path=ASN1_PATH)
    same(done.out, b"10", "connections that curl made for the first and for the second request", done)


# ---------------------------------------------------------------- headers and refusals of HTTP

@case
def every_answer_carries_x_admin_protocol():
    for sent, want in (("gsma/rsp/v2.1.0", "gsma/rsp/v2.1.0"), ("gsma/rsp/v3.0.0", "gsma/rsp/v3.0.0"), (None, "gsma/rsp/v2.1.0"),
                       ("something else", "gsma/rsp/v2.1.0"), ("gsma/rsp/" + "9" * 200, "gsma/rsp/v2.1.0")):
        for path, body in ((ASN1_PATH, STRANGER), ("/nowhere", STRANGER), (ASN1_PATH, b"\x30")):
            r = server.esipa(body, path=path, headers={"X-Admin-Protocol": sent})
            same(r.headers.get_all("X-Admin-Protocol"), [want], sent, path, r)
    same(parse_reply(server.raw(b"no HTTP\r\n\r\n")).headers["X-Admin-Protocol"], "gsma/rsp/v2.1.0")


@case
def content_type_and_204():
    same(server.esipa(STRANGER).headers["Content-Type"], ASN1_TYPE)
    for form in (None, ASN1_TYPE + "; charset=utf-8", ASN1_TYPE.upper() + " ;x=y", ASN1_TYPE + ";"):
        r = server.esipa(STRANGER, headers={"Content-Type": form})
        same((r.status, r.headers["Content-Type"]), (200, ASN1_TYPE), form)
    message = next(v for v in vectors("esipa.json") if v["type"] == "EsipaMessageFromIpaToEim" and "handleNotificationEsipa" in v["value"])
    r = server.esipa(bytes.fromhex(message["der"]))
    same((r.status, r.body, r.headers["Content-Type"]), (204, b"", None), message["name"])


@case
def wrong_path_method_type_size_and_content():
    before = state()
    for path in ("/", "/gsma/rsp2/asn1/", "/gsma/rsp2/asn1?x=1", "/GSMA/rsp2/asn1", "/v1/devices", "/metrics", "/healthz", "//gsma/rsp2/asn1"):
        same(server.esipa(STRANGER, path=path).status, 404, path)
    for method in ("GET", "PUT", "DELETE", "OPTIONS", "PATCH", "HEAD", "POSTS"):
        r = server.esipa(STRANGER, method=method)
        same((r.status, r.headers["Allow"]), (405, "POST"), method)
    for kind in ("application/json", "text/plain", ASN1_TYPE + "x", "x" + ASN1_TYPE, ";"):
        want = 200 if kind == ";" else 415
        same(server.esipa(STRANGER, headers={"Content-Type": kind}).status, want, kind)
    same(server.esipa(b"\x30" * (64 * 1024 + 1)).status, 413)
    for body in (b"", b"\x00", b"\xbf", STRANGER[:-1], STRANGER + b"\x00", b"\x30\x80\x00\x00", b"x" * (64 * 1024), tlv("BF7F", "0101FF")):
        r = server.esipa(body)
        same((r.status, r.body), (400, b""), body[:20])
    same(state(), before, "what is stored")


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


# ---------------------------------------------------------------- bad values, malformed messages

@case
def wire_forms_are_refused_or_answered_as_the_vectors_say():
    before, refused = state(), 0
    for v in vectors("wire-forms.json"):
        if v["expect"] == "accept":
            continue
        r = server.esipa(bytes.fromhex(v["der"]))
        if v["expect"] == "reject":
            same((r.status, r.body), (400, b""), v["name"], v["why"])
            refused += 1
        else:
            same((r.status, r.body.hex()), (200, v["answer"].lower()), v["name"], v["why"])
    check(refused >= 23, "number of refused ones", refused)
    same(state(), before, "what is stored")
    check(server.running(), "eimd lives")


@case
def malformed_messages_are_logged_once_with_place_and_counted():
    name = next(n for n in server.metrics() if "malformed" in n)
    before, lines = server.metrics()[name], server.log().count("E_MALFORMED")
    same(server.esipa(POLL[:-1]).status, 400)
    same(server.metrics()[name], before + 1, name)
    wait_for(lambda: server.log().count("E_MALFORMED") == lines + 1, "one log line")
    line = [l for l in server.log().splitlines() if "E_MALFORMED" in l][-1]
    check("clause=" in line and "status=400" in line, line)


@case
def unknown_missing_and_short_eids_have_answers_of_their_own():
    before = state()
    for body, code in ((get_eim_package(eid(77)), 2), (tlv("BF4F"), 4), (tlv("BF4F", tlv("5A", "8904")), 3)):
        r = server.esipa(body)
        same((r.status, r.body.hex()), (200, "bf4f030201%02x" % code), body.hex())
    same(state(), before, "what is stored")


@case
def unknown_devices_are_enrolled_when_a_setting_says_so_and_only_so_many():
    s = Eimd(settings={"eim.enrol_unknown": "yes", "eim.enrol_per_hour": "2"})
    for i in (1, 2):
        first_contact(s.esipa(get_eim_package(eid(i))).body)
        same(s.get("/v1/devices/" + eid(i))["verification"], "unverified")
    same(s.esipa(get_eim_package(eid(3))).body, UNKNOWN, "beyond the cap")
    s.get("/v1/devices/" + eid(3), want=404)
    first_contact(s.esipa(get_eim_package(eid(1))).body)
    s.set("eim.enrol_per_hour", "100")
    s.set("eim.enrol_unknown", "no")
    s.reload()
    wait_for(lambda: "read again" in s.log(), "reload")
    same(s.esipa(get_eim_package(eid(4))).body, UNKNOWN, "after the setting was taken back")
    s.stop()


# ---------------------------------------------------------------- limits

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
def connections_headers_and_slow_clients_have_ceilings():
    s = Eimd(settings={"device.connections": "3", "device.header_max": "1k", "device.request_timeout": "1s", "device.idle_timeout": "4s"})
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
def beyond_the_ceiling_of_connections_others_wait_for_their_turn():
    s = Eimd(settings={"device.connections": "2"})
    held = [s.device(), s.device()]
    for c in held:
        same(c.esipa(POLL).body, UNKNOWN)
    third = s.plain()                               # the kernel takes it, eimd does not
    third.settimeout(CALL_SECONDS)
    waits = threading.Thread(target=lambda: third.sendall(b"\x16"))
    waits.start()
    same(held[0].esipa(POLL).body, UNKNOWN, "those inside go on")
    open_now = next(v for n, v in s.metrics().items() if "connections_open" in n and "device" in n)
    same(open_now, 2.0, "open connections")
    held[0].close()
    waits.join()
    third.close()
    fourth = s.device()                             # there is room again
    same(fourth.esipa(POLL).body, UNKNOWN)
    fourth.close()
    held[1].close()
    s.stop()


@case
def a_full_queue_answers_503_with_retry_after():
    s = Eimd(settings={"device.queue": "1", "device.workers": "1", "device.retry_after": "7s", "device.request_timeout": "60s"})
    request = ("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (ASN1_PATH, len(POLL))).encode() + POLL
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


# ---------------------------------------------------------------- the store goes away and comes back

@case
def a_lost_database_is_503_and_comes_back_by_itself():
    cluster = postgres()
    s = Eimd(store=cluster.fresh())
    s.post("/v1/devices", {"eid": eid(1)})
    s.post("/v1/devices", {"eid": eid(2)})
    first_contact(s.esipa(get_eim_package(eid(1))).body)
    before = s.get("/v1/devices/" + eid(1))
    cluster.kill()
    for i in (1, 2, 9):
        r = s.esipa(get_eim_package(eid(i)))
        same((r.status, r.body), (503, b""), i)
        check(int(r.headers["Retry-After"]) >= 1, r.headers)
    r = s.api("GET", "/v1/devices")
    check(r.status == 503 and r.headers["Retry-After"], r)
    same(s.api("GET", "/readyz").status, 503)
    same(s.api("GET", "/healthz").status, 200)
    same(s.api("POST", "/v1/devices", {"eid": eid(3)}).status, 503)
    cluster.start()
    wait_for(lambda: s.api("GET", "/readyz").status == 200, "ready again")
    for i in range(20, 40):                         # every connection of eimd was dead, and no device sees that
        s.post("/v1/devices", {"eid": eid(i)})
        first_contact(s.esipa(get_eim_package(eid(i))).body)
    first_contact(s.esipa(get_eim_package(eid(2))).body)
    s.get("/v1/devices/" + eid(3), want=404)
    same(s.get("/v1/devices/" + eid(1))["first_contact"], before["first_contact"])
    s.stop()


@case
def a_full_disk_is_503_and_comes_back_by_itself():
    if os.getuid() != 0:
        raise Skip("mounting a small file system needs root")
    where = tmpdir()
    mounted = run("mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", where)
    if mounted.status != 0:
        raise Skip("no tmpfs may be mounted here: %s" % mounted.err.decode().strip())
    atexit.register(run, "umount", "-l", where)
    s = Eimd(directory=where)
    labels = {"l%02d" % k: "x" * 250 for k in range(30)}
    s.api("POST", "/v1/devices", [{"eid": eid(i)} for i in range(1, 401)])
    with open(where + "/fill", "wb", buffering=0) as f:
        try:
            while True:
                f.write(b"\0" * 4096)
        except OSError:
            pass

    def first_503(answers):
        """What the log of the database still had room for goes through."""
        i, r = next(((i, r) for i, r in answers if r.status == 503), (None, None))
        check(i, "the disk is full, and still everything is written")
        check(int(r.headers["Retry-After"]) >= 1, r.headers)
        return i, r

    refused, _ = first_503((i, s.api("POST", "/v1/devices", {"eid": eid(i), "labels": labels})) for i in range(1001, 2000))
    device, r = first_503((i, s.esipa(get_eim_package(eid(i)))) for i in range(1, 401))     # a first contact is something to write
    same(r.body, b"")
    same(s.esipa(get_eim_package(eid(999))).body, UNKNOWN, "what needs no writing is answered")
    same(s.get("/v1/devices/" + eid(device))["first_contact"], None, "nothing of it is stored")
    s.get("/v1/devices/" + eid(refused), want=404)
    os.unlink(where + "/fill")
    wait_for(lambda: s.esipa(get_eim_package(eid(device))).status == 200, "it goes on by itself")
    same(s.post("/v1/devices", {"eid": eid(refused)})["result"], "enrolled")
    s.stop()
    Eimd.all.remove(s)


# ---------------------------------------------------------------- drain and reload

@case
def sigterm_lets_a_request_under_way_end():
    cluster = postgres()
    url = cluster.fresh()
    s = Eimd(store=url, settings={"server.drain_timeout": "60s"})
    s.post("/v1/devices", {"eid": eid(1)})
    lock = subprocess.Popen([cluster.bin + "/psql", "-XqAt", url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    lock.stdin.write("BEGIN; LOCK TABLE device IN ACCESS EXCLUSIVE MODE; SELECT 'locked';\n")
    lock.stdin.flush()
    same(lock.stdout.readline().strip(), "locked")
    answer = []
    caller = threading.Thread(target=lambda: answer.append(s.esipa(get_eim_package(eid(1)))))
    caller.start()
    wait_for(lambda: int(cluster.sql("SELECT count(*) FROM pg_locks WHERE NOT granted", url.split("///")[1].split("?")[0])[0][0]) > 0,
             "the request waits for the table")
    s.signal(signal.SIGTERM)

    def refused():
        with socket.socket() as t:
            return t.connect_ex(("127.0.0.1", s.device_port)) != 0

    wait_for(refused, "nobody new is let in")
    check(s.running() and not answer, "it waits for the request under way")
    lock.stdin.write("ROLLBACK;\n")
    lock.stdin.close()
    caller.join(CALL_SECONDS)
    lock.wait()
    same([r.status for r in answer], [200])
    first_contact(answer[0].body)
    same(answer[0].headers["Connection"], "close")
    same(s.process.wait(STOP_SECONDS), 0, "exit status")


@case
def sighup_takes_new_certificates_and_keeps_connections():
    s = Eimd()
    s.post("/v1/devices", {"eid": eid(1)})
    old = s.device()
    first_contact(old.esipa(POLL).body)
    mine = old.http.sock.getsockname()

    def shown():
        pem = ssl.get_server_certificate(("127.0.0.1", s.device_port))
        return ssl.PEM_cert_to_DER_cert(pem)

    before = shown()
    cert, key = certificate(tmpdir(), "renewed")
    s.set("tls.certificate", cert)
    s.set("tls.key", key)
    s.reload()
    wait_for(lambda: shown() != before, "the new certificate")
    with open(cert) as f:
        same(shown(), ssl.PEM_cert_to_DER_cert(f.read()))
    same(old.esipa(STRANGER).body, UNKNOWN)
    same(old.http.sock.getsockname(), mine, "the connection was kept")
    old.close()

    now = shown()
    for name, value, word in (("tls.certificate", "/no/such/file", "/no/such/file"), ("eim.enrol_per_hour", "many", "eim.enrol_per_hour"),
                              ("tls.key", s.dir + "/keys/eim.pem", "keys/eim.pem")):
        with open(s.dir + "/eimd.conf") as f:
            good = f.read()
        n = s.log().count("reload refused")
        s.set(name, value)
        s.reload()
        wait_for(lambda: s.log().count("reload refused") == n + 1, "refusal of " + name)
        check(word in [l for l in s.log().splitlines() if "reload refused" in l][-1], name, s.log()[-400:])
        same(shown(), now, "the certificate after a refused reload")
        with open(s.dir + "/eimd.conf", "w") as f:
            f.write(good)
    s.set("device.workers", "3")
    s.reload()
    wait_for(lambda: re.search(r"device\.workers has changed.*next start", s.log()), "the word about the next start")
    same(run("curl", "-q", "-sS", "--cacert", cert, "https://localhost:%d/nowhere" % s.device_port, "-o", "/dev/null", "-w", "%{http_code}").out, b"404")


main()
