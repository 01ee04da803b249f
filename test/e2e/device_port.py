"""The device port as foreign clients meet it: TLS, HTTP, bad input, limits, outages, drain and reload.

curl and openssl s_client are the clients; where bytes must be broken on purpose, Python's own TLS is. A card is played
by hand: a key made by openssl is pinned at enrolment, and its results are signed by openssl.
"""
from lib import *

VECTOR_EID = "89044045118427484800000000011628"        # the one of wire-forms.json
NOBODY = eid(999)
NOT_FOUND, NOTHING, NO_ACKS = bytes.fromhex("BF4F03020102"), bytes.fromhex("BF4F03020101"), bytes.fromhex("BF50023000")
TOKEN = 1


def openssl(*args, input=b""):
    d = run("openssl", *args, input=input)
    same(d.status, 0, "openssl", args, d)
    return d.out


def certificate(directory, name, curve):
    """A key and a self-signed certificate for localhost: NAME.pem and NAME.key in the data directory's tls/."""
    base = os.path.join(directory, "tls", name)
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:" + curve, "-nodes", "-keyout", base + ".key", "-out", base + ".pem",
            "-days", "30", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    return base + ".pem"


def der_of(pem_file):
    with open(pem_file) as f:
        return ssl.PEM_cert_to_DER_cert(f.read())


def curl(server, body, *args, path=ASN1_PATH, content_type=ASN1_TYPE):
    """One POST by curl: a Reply."""
    d = server.curl("-i", "--http1.1", "-H", "Expect:", "-H", "Content-Type:" + (" " + content_type if content_type else ""),
                    "--data-binary", "@-", *args, path=path, input=body)
    same(d.status, 0, d)
    return parse_reply(d.out)


def s_client(server, *args):
    """A poll by openssl s_client with all it has to say about the session: Done."""
    body = get_eim_package(NOBODY)
    head = "POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (
        ASN1_PATH, ASN1_TYPE, len(body))
    d = server.s_client("-ign_eof", *args, input=head.encode() + body)
    return d


def polled(done, ca):
    """The handshake ended well, with this certificate, and the poll was answered."""
    same(done.status, 0, done)
    check(b"HTTP/1.1 200" in done.out and NOT_FOUND in done.out, done)
    shown = re.search(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", done.out, re.S)
    same(ssl.PEM_cert_to_DER_cert(shown.group().decode()), der_of(ca), "the certificate")


def audit(server):
    items, cursor = [], ""
    while cursor is not None:
        page = server.get("/v1/audit?limit=100" + (cursor and "&cursor=" + cursor))
        items += page["items"]
        cursor = page.get("next")
    return items


def state(server, device):
    return server.get("/v1/devices/" + device), audit(server), server.get("/v1/devices/%s/operations" % device)


def new_key(path):
    """A P-256 key in this file; its public part as the API takes it."""
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path)
    return base64.b64encode(openssl("pkey", "-in", path, "-pubout", "-outform", "DER")).decode()


class Card:
    """An enrolled eUICC with a key of its own and one order for it."""

    def __init__(self, server, number):
        self.server, self.eid, self.dir = server, eid(number), tmpdir()
        server.post("/v1/devices", {"eid": self.eid, "public_key": new_key(self.dir + "/key.pem"), "association_token": TOKEN})

    def fetch(self):
        """Order an inventory and fetch its package, answering by hand what the eIM wants to know before."""
        self.server.post("/v1/devices/%s/inventory" % self.eid, want=201)
        for _ in range(4):
            r = self.server.esipa(get_eim_package(self.eid))
            same(r.status, 200, r)
            asked = tlv_find(r.body, "BF4F", "BF52")
            if asked is None:
                break
            refusal = tlv("BF50", tlv("5A", self.eid), tlv("BF52", tlv("A1", tlv("80", tlv_find(asked, "83")), tlv("02", "7F"))))
            same(self.server.esipa(refusal).status, 200)
        signed = tlv_find(r.body, "BF4F", "BF51", "30")
        check(signed is not None, "no package:", r)
        self.fields = dict(tlv_list(signed))
        self.operation = self.server.get("/v1/devices/" + self.eid)["queue"]["in_flight"]
        same(self.state(), "sent")
        return self

    def result(self, seq=7, forged=False):
        """The signed result of the package: an empty list of profiles."""
        f = self.fields
        data = tlv("30", tlv("80", f["80"]), tlv("81", f["81"]), tlv("82", f["82"]), tlv("83", "%02X" % seq),
                   tlv("30", tlv("BF2D", tlv("A0"))))
        der = openssl("dgst", "-sha256", "-sign", self.dir + "/key.pem", input=data + tlv("84", "%02X" % TOKEN))
        raw = b"".join(v[-32:].rjust(32, b"\0") for _, v in tlv_list(tlv_list(der)[0][1]))
        if forged:
            raw = raw[:-1] + bytes([raw[-1] ^ 1])
        return tlv("BF50", tlv("5A", self.eid), tlv("BF51", tlv("A0", data, tlv("5F37", raw))))

    def state(self):
        return self.server.get("/v1/operations/" + self.operation)["state"]


ACK = tlv("BF50", tlv("BF53", tlv("80", "07")))

server = Eimd(start=False)
BRAINPOOL = certificate(server.dir, "brainpool", "brainpoolP256r1")
NEW_CA = certificate(server.dir, "new", "P-256")
server.set("tls.brainpool_certificate", "tls/brainpool.pem")
server.set("tls.brainpool_key", "tls/brainpool.key")
server.start()

server.post("/v1/devices", {"eid": VECTOR_EID, "public_key": new_key(tmpdir() + "/key.pem")})

tight = Eimd(settings={"device.connections": 3, "device.request_timeout": "2s", "eim.enrol_unknown": "yes", "eim.enrol_per_hour": 3})


# ---------------------------------------------------------------- TLS

@case
def both_versions_shake_hands_with_p256():
    for version, name in (("-tls1_2", b"TLSv1.2"), ("-tls1_3", b"TLSv1.3")):
        d = s_client(server, version, "-curves", "P-256")
        polled(d, server.ca)
        check(b"New, " + name in d.out, d.out)
        check(b"Verify return code: 0 (ok)" in d.out, d.out)
    for args in (("--tlsv1.2", "--tls-max", "1.2"), ("--tlsv1.3",)):
        same(curl(server, get_eim_package(NOBODY), *args, "--curves", "P-256").body, NOT_FOUND)


@case
def a_client_of_brainpool_alone_gets_the_brainpool_certificate():
    d = s_client(server, "-tls1_2", "-curves", "brainpoolP256r1", "-CAfile", BRAINPOOL)
    polled(d, BRAINPOOL)
    check(b"brainpoolP256r1" in d.out and b"New, TLSv1.2" in d.out, d.out)
    polled(s_client(server, "-tls1_3", "-curves", "P-256"), server.ca)          # on the same port, after it
    polled(s_client(server, "-tls1_2", "-curves", "brainpoolP256r1:P-256"), server.ca)


@case
def a_session_is_resumed_in_both_versions():
    for version, name in (("-tls1_2", b"TLSv1.2"), ("-tls1_3", b"TLSv1.3")):
        file = tmpdir() + "/session"
        first = s_client(server, version, "-sess_out", file)
        polled(first, server.ca)
        check(b"New, " + name in first.out, first.out)
        again = s_client(server, version, "-sess_in", file)
        same(again.status, 0, again)
        check(b"Reused, " + name in again.out and NOT_FOUND in again.out, again.out)


@case
def tls_1_1_is_refused():
    d = s_client(server, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
    check(d.status != 0 and b"alert protocol version" in d.err and b"HTTP/" not in d.out, d)


# ---------------------------------------------------------------- HTTP

@case
def two_requests_go_over_one_connection():
    url = "https://127.0.0.1:%d%s" % (server.device_port, ASN1_PATH)
    file = tmpdir() + "/poll"
    with open(file, "wb") as f:
        f.write(get_eim_package(NOBODY))
    d = server.curl("--http1.1", "-H", "Content-Type: " + ASN1_TYPE, "--data-binary", "@" + file, "-w", "(%{http_code} %{num_connects})", url,
                    path=ASN1_PATH)
    same(d.out, NOT_FOUND + b"(200 1)" + NOT_FOUND + b"(200 0)")


@case
def the_admin_protocol_is_echoed_or_ours():
    body = get_eim_package(NOBODY)
    for sent, want in (("gsma/rsp/v2.1.0", "gsma/rsp/v2.1.0"), ("gsma/rsp/v1.3.0", "gsma/rsp/v1.3.0"), ("gsma/rsp/v9.9", "gsma/rsp/v9.9"),
                       ("acme/v1", "gsma/rsp/v2.1.0"), (None, "gsma/rsp/v2.1.0")):
        header = ("-H", "X-Admin-Protocol: " + sent) if sent else ()
        for what, args, status in ((body, {}, 200), (b"\x30", {}, 400), (body, {"path": "/"}, 404), (body, {"content_type": "text/plain"}, 415)):
            r = curl(server, what, *header, **args)
            same((r.status, r.headers.get_all("X-Admin-Protocol")), (status, [want]), "sent", sent)
    broken = parse_reply(server.raw(b"NONSENSE\r\n\r\n"))          # refused before there is a header to echo
    same((broken.status, broken.headers["X-Admin-Protocol"]), (400, "gsma/rsp/v2.1.0"))


@case
def a_body_has_its_type_and_no_body_none():
    r = curl(server, get_eim_package(NOBODY))
    same((r.status, r.headers["Content-Type"], r.body), (200, ASN1_TYPE, NOT_FOUND))
    note = tlv("BF3D", tlv("BF50", tlv("A0", tlv("02", "7F"))))
    r = curl(server, note)
    same((r.status, r.headers["Content-Type"], r.body), (204, None, b""))


@case
def wrong_path_method_type_and_size_have_their_status():
    body = get_eim_package(NOBODY)
    for path in ("/", "/gsma/rsp2/asn1/", "/gsma/rsp2/asn1x", "/gsma/rsp2/ASN1", "/v1/devices", "/metrics"):
        same(curl(server, body, path=path).status, 404, path)
    for method in ("GET", "PUT", "DELETE", "OPTIONS", "PATCH"):
        r = server.esipa(body, method=method)
        same((r.status, r.headers["Allow"]), (405, "POST"), method)
    for wrong in ("text/plain", "application/json", ASN1_TYPE + "x", "application/x-gsma-rsp"):
        same(curl(server, body, content_type=wrong).status, 415, wrong)
    for right in (None, ASN1_TYPE + "; charset=utf-8", ASN1_TYPE + " ;x=y", ASN1_TYPE.upper()):
        r = curl(server, body, content_type=right)
        same((r.status, r.body), (200, NOT_FOUND), right)
    same(curl(server, bytes(65537)).status, 413)
    same(curl(server, bytes(65536)).status, 400, "the largest body is read, and is no message")


@case
def the_head_is_limited_and_framing_is_strict():
    body = get_eim_package(NOBODY)
    same(curl(server, body, "-H", "X-Big: " + "x" * 7000).body, NOT_FOUND)
    same(curl(server, body, "-H", "X-Big: " + "x" * 8192).status, 431)
    r = curl(server, body, "-H", "Transfer-Encoding: chunked")
    same((r.status, r.body), (200, NOT_FOUND))
    head = "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\n" % (ASN1_PATH, ASN1_TYPE)
    for lengths in ("Content-Length: %d\r\nContent-Length: %d\r\n" % (len(body), len(body) + 1), "Content-Length: 0x15\r\n",
                    "Content-Length: %d\r\nTransfer-Encoding: chunked\r\n" % len(body)):
        same(parse_reply(server.raw((head + lengths + "\r\n").encode() + body)).status, 400, lengths)


# ---------------------------------------------------------------- bad input

@case
def malformed_messages_are_400_and_change_nothing():
    before, tried = state(server, VECTOR_EID), 0
    for v in vectors("wire-forms.json"):
        if v["expect"] == "reject":
            r = curl(server, bytes.fromhex(v["der"]))
            same((r.status, r.body), (400, b""), v["name"])
            tried += 1
    check(tried > 20, "only", tried)
    same(state(server, VECTOR_EID), before)


@case
def bad_values_have_their_answer():
    tried = 0
    for v in vectors("wire-forms.json"):
        if v["expect"] == "answer":
            r = curl(server, bytes.fromhex(v["der"]))
            same((r.status, r.body.hex()), (200, v["answer"]), v["name"])
            tried += 1
    same(tried, 3)
    same(curl(server, get_eim_package(NOBODY)).body, NOT_FOUND)
    same(server.api("GET", "/v1/devices/" + NOBODY).status, 404)


@case
def a_forged_result_is_refused_counted_and_not_acknowledged():
    v = next(v for v in vectors("wire-forms.json") if v["name"] == "epr/long-form-length")
    before, counted = state(server, VECTOR_EID), server.metrics()["eimd_results_refused_total"]
    for der in (v["der"], v["same_meaning_as"]):
        r = curl(server, bytes.fromhex(der))
        same((r.status, r.body), (200, NO_ACKS))
    same(server.metrics()["eimd_results_refused_total"], counted + 2)
    after = state(server, VECTOR_EID)
    same(after[1:], before[1:], "audit log and operations")
    for fact in ("verification", "association", "enabled_profile", "inventory", "profiles", "queue", "notifications"):
        same(after[0][fact], before[0][fact], fact)


@case
def a_wrong_signature_settles_nothing_and_the_right_one_does():
    card = Card(server, 1).fetch()
    before = state(server, card.eid)
    counted = server.metrics()["eimd_results_refused_total"]
    same(curl(server, card.result(forged=True)).body, NO_ACKS)
    same(server.metrics()["eimd_results_refused_total"], counted + 1)
    after = state(server, card.eid)
    same(after[1:], before[1:], "audit log and operations")
    same((after[0]["queue"], after[0]["association"]), (before[0]["queue"], before[0]["association"]))
    result = card.result()
    for _ in range(2):                                      # once more is acknowledged once more
        same(curl(server, result).body, ACK)
    same(card.state(), "done")


@case
def unknown_devices_are_enrolled_up_to_the_cap():
    for i in range(3):
        r = curl(tight, get_eim_package(eid(100 + i)))
        check(r.status == 200 and r.body != NOT_FOUND, i, r)
        same(tight.get("/v1/devices/" + eid(100 + i))["verification"], "unverified")
    same(curl(tight, get_eim_package(eid(103))).body, NOT_FOUND)
    same(tight.api("GET", "/v1/devices/" + eid(103)).status, 404)


# ---------------------------------------------------------------- limits

def device_metric(s, name):
    return s.metrics()["eimd_net_%s{listener=\"device\"}" % name]


@case
def a_connection_too_many_waits_and_harms_nobody():
    wait_for(lambda: device_metric(tight, "connections_open") == 0, "no connection")
    body = get_eim_package(eid(103))
    inside = [tight.device() for _ in range(3)]
    try:
        for c in inside:
            same(c.esipa(body).body, NOT_FOUND)
        accepted = device_metric(tight, "connections_accepted_total")
        with tight.plain() as waiting:
            for c in inside * 2:
                same(c.esipa(body).body, NOT_FOUND)
            same((device_metric(tight, "connections_open"), device_metric(tight, "connections_accepted_total")), (3, accepted))
            check(device_metric(tight, "accept_paused_total") >= 1)
            inside[0].close()
            with tight.context().wrap_socket(waiting, server_hostname="localhost") as t:
                t.sendall(("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (ASN1_PATH, len(body))).encode() + body)
                same(t.recv(12), b"HTTP/1.1 200")
            for c in inside[1:]:
                same(c.esipa(body).body, NOT_FOUND)
    finally:
        for c in inside:
            c.close()


@case
def a_slow_client_is_cut_off():
    body = get_eim_package(eid(103))
    head = ("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (ASN1_PATH, len(body))).encode()
    for at_once in (0, len(head)):                          # slow from the first octet; slow in the body
        counted = device_metric(tight, "timeouts_request_total")
        with socket.create_connection(("127.0.0.1", tight.device_port), CALL_SECONDS) as s:
            with tight.context(maximum=ssl.TLSVersion.TLSv1_2).wrap_socket(s, server_hostname="localhost") as t:
                t.sendall(head[:at_once])
                for octet in (head + body)[at_once:at_once + 20]:
                    if select.select([t], [], [], 1)[0]:
                        break                               # the answer, or the end: in TLS 1.2 nothing else comes now
                    t.sendall(bytes([octet]))
                t.settimeout(CALL_SECONDS)
                try:
                    got = t.recv(12)
                except (ConnectionResetError, ssl.SSLError):
                    got = b""
                check(got in (b"", b"HTTP/1.1 408"), got)
        same(device_metric(tight, "timeouts_request_total"), counted + 1)
        same(curl(tight, body).body, NOT_FOUND)


# ---------------------------------------------------------------- outages

def refused_for_now(r):
    same((r.status, r.body), (503, b""))
    check(int(r.headers["Retry-After"]) > 0, r.headers)


@case
def a_lost_database_is_503_until_it_is_back():
    cluster = postgres()
    s = Eimd(store=cluster.fresh())
    card = Card(s, 1).fetch()
    result = card.result()
    same(s.api("GET", "/readyz").status, 200)
    cluster.kill()
    for body in (result, get_eim_package(card.eid), get_eim_package(NOBODY)):
        refused_for_now(curl(s, body))
    wait_for(lambda: s.api("GET", "/readyz").status == 503, "not ready")
    same(s.api("GET", "/healthz").status, 200)
    cluster.start()
    r = wait_for(lambda: (lambda r: r.status == 200 and r)(curl(s, result)), "the database is taken again")
    same(r.body, ACK)
    same(card.state(), "done")
    same(curl(s, get_eim_package(NOBODY)).body, NOT_FOUND)
    wait_for(lambda: s.api("GET", "/readyz").status == 200, "ready")
    s.stop()


@case
def a_full_disk_is_503_until_there_is_room():
    place = tmpdir()
    m = run("mount", "-t", "tmpfs", "-o", "size=8m,mode=0777", "eimd-e2e", place) if os.getuid() == 0 else None
    if not m or m.status != 0:
        raise Skip("no tmpfs can be mounted: " + (m.err.decode().strip() if m else "not root"))
    atexit.register(run, "umount", "-l", place)
    s = Eimd(store="sqlite:%s/eimd.db" % place)
    cards = [Card(s, i).fetch() for i in range(1, 5)]
    results = [c.result() for c in cards]
    with open(place + "/filler", "wb", buffering=0) as f:
        try:
            while True:
                f.write(bytes(4096))
        except OSError as e:
            same(e.errno, 28, e)
    number = 1000

    def no_room():
        nonlocal number
        number += 1
        r = s.api("POST", "/v1/devices", {"eid": eid(number)})
        check(r.status in (201, 503), r)
        return r.status == 503
    wait_for(no_room, "what room the files have left is used up", pause=0)
    for r in results:
        refused_for_now(curl(s, r))
    for c in cards:
        same(c.state(), "sent")
    same(curl(s, get_eim_package(NOBODY)).body, NOT_FOUND)      # what needs no room goes on
    os.unlink(place + "/filler")
    for c, r in zip(cards, results):
        got = wait_for(lambda: (lambda g: g.status == 200 and g)(curl(s, r)), "room is used again")
        same(got.body, ACK)
        same(c.state(), "done")
    s.restart(hard=True)                                        # and what was acknowledged is there
    for c in cards:
        same(c.state(), "done")
    s.stop()


# ---------------------------------------------------------------- drain and reload

def children(pid):
    return [int(p) for p in run("ps", "-o", "pid=", "--ppid", pid).text.split()]


@case
def sigterm_lets_a_request_under_way_end():
    """PostgreSQL stands still, so the request is surely under way when the signal comes."""
    cluster = postgres()
    s = Eimd(store=cluster.fresh(), settings={"server.drain_timeout": "1m"})
    idle, busy = s.device(), s.device()
    for c in (idle, busy):
        same(c.esipa(get_eim_package(NOBODY)).body, NOT_FOUND)
    given = device_metric(s, "requests_total")
    stopped = children(cluster.process.pid)
    check(stopped, "no backend")
    for p in stopped:
        os.kill(p, signal.SIGSTOP)
    try:
        busy.http.request("POST", ASN1_PATH, get_eim_package(eid(998)), ESIPA_HEADERS)
        wait_for(lambda: device_metric(s, "requests_total") == given + 1, "the request is under way")
        s.signal(signal.SIGTERM)
        same(idle.http.sock.recv(1), b"", "an idle connection is closed")
        check(s.running(), "it waits for the request")
        check(not select.select([busy.http.sock], [], [], 0)[0], "no answer yet")
    finally:
        for p in stopped:
            os.kill(p, signal.SIGCONT)
    r = busy.http.getresponse()
    same((r.status, r.read(), r.getheader("Connection")), (200, NOT_FOUND, "close"))
    same(s.process.wait(STOP_SECONDS), 0)
    check("stopped" in s.log(), s.log())


@case
def a_new_certificate_serves_new_connections_only():
    old = server.device()
    same(old.esipa(get_eim_package(NOBODY)).body, NOT_FOUND)
    sock = old.http.sock
    polled(s_client(server), server.ca)
    server.set("tls.certificate", "tls/new.pem")
    server.set("tls.key", "tls/new.key")
    server.reload()
    wait_for(lambda: "certificates and roots read again" in server.log(), "the reload")
    polled(s_client(server, "-CAfile", NEW_CA), NEW_CA)
    same(old.esipa(get_eim_package(NOBODY)).body, NOT_FOUND)
    check(old.http.sock is sock, "the connection was kept")
    same(ssl.PEM_cert_to_DER_cert(ssl.DER_cert_to_PEM_cert(sock.getpeercert(True))), der_of(server.ca))
    server.set("tls.certificate", "tls/cert.pem")
    server.set("tls.key", "tls/key.pem")
    server.reload()
    wait_for(lambda: server.log().count("certificates and roots read again") == 2, "the reload back")
    polled(s_client(server), server.ca)
    old.close()


@case
def a_wrong_setting_keeps_the_old_ones():
    for name, wrong, right, said in (("eim.enrol_per_hour", "plenty", "100", "enrol_per_hour"),
                                     ("tls.certificate", "tls/none.pem", "tls/cert.pem", "tls/none.pem"),
                                     ("tls.certificate", "tls/new.pem", "tls/cert.pem", "tls/key.pem: key values mismatch")):
        refusals, reloads = server.log().count("reload refused"), server.log().count("certificates and roots read again")
        server.set("eim.enrol_unknown", "yes")
        server.set(name, wrong)
        server.reload()
        wait_for(lambda: server.log().count("reload refused") == refusals + 1, "the refusal of " + wrong)
        line = [l for l in server.log().splitlines() if "reload refused" in l][-1]
        check(said in line, line)
        same(curl(server, get_eim_package(NOBODY)).body, NOT_FOUND, "unknown devices are still refused")
        polled(s_client(server), server.ca)
        server.set(name, right)
        server.set("eim.enrol_unknown", "no")
        server.reload()
        wait_for(lambda: server.log().count("certificates and roots read again") == reloads + 1, "the reload of what is right")
    server.set("eim.enrol_unknown", "yes")
    server.reload()
    r = wait_for(lambda: (lambda r: r.body != NOT_FOUND and r)(curl(server, get_eim_package(eid(997)))), "the setting takes effect")
    same(r.status, 200)
    same(server.get("/v1/devices/" + eid(997))["verification"], "unverified")


main()
