"""What eimd connects to by itself, over real TLS: an SM-DP+ that gets notifications, a device that can be reached, and all that it must not
connect to (invariant I12)."""
import http.server
import threading

import lib
from lib import *


def root_certificate(directory):
    """A CA that serves as its own leaf for localhost: (certificate file, key file)."""
    cert, key = directory + "/smdp.pem", directory + "/smdp.key"
    done = run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj", "/CN=smdp",
               "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-addext", "keyUsage=critical,keyCertSign,digitalSignature",
               "-keyout", key, "-out", cert)
    check(done.status == 0, "openssl req", done)
    os.chmod(key, 0o600)
    return cert, key


class Smdp:
    """An SM-DP+ that takes notifications, or does what `mood` says."""

    def __init__(self, cert, key):
        self.got, self.connections, self.mood = [], 0, 204
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                outer.connections += 1
                super().setup()

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append((self.path, dict(self.headers), body))
                self.send_response(outer.mood)
                if outer.mood == 302:
                    self.send_header("Location", "https://localhost:%d/elsewhere" % outer.port)
                if outer.mood != 204:
                    self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def address(self):
        return "localhost:%d" % self.port


work = tmpdir()
cert, key = root_certificate(work)
smdp = Smdp(cert, key)
fleet = Fleet(1, seed=5)
server = Eimd(settings={"notify.retry": "1s", "notify.retry_max": "1s", "notify.workers": "2"}, start=False, trust=fleet.root)
shutil.copy(cert, server.dir + "/trust/smdp.pem")
server.start()
device = fleet.enrol(server)[0]


def order(who=device, **what):
    return server.post("/v1/devices/%s/operations" % who, what)["id"]


def switch(devices):
    """Its one device, fresh from the factory, goes to operator B: two notifications."""
    op = order(devices.eids()[0], psmos=[{"enable": {"iccid": devices.iccids(0)["Operator B"]}}])
    devices.run(server, "--notify", smdp.address)
    wait_for(lambda: server.get("/v1/operations/" + op)["state"] == "done", "the switch")


def notifications(state=None):
    return server.get("/v1/notifications" + ("?state=" + state if state else ""))["items"]


@case
def an_unlisted_address_is_held_and_never_contacted():
    switch(fleet)
    wait_for(lambda: len(notifications("held")) == 2, "both are held")
    same({n["why"] for n in notifications()}, {"unlisted address"})
    same(smdp.connections, 0)
    same(server.get("/v1/devices/" + device)["notifications"], {"verified": 2, "kept": 0})


@case
def a_listed_name_that_leads_to_loopback_is_not_connected_to():
    order(download={"activation_code": "1$%s$MATCH" % smdp.address})
    fleet.run(server, "--notify", smdp.address)
    for n in notifications("held"):
        server.post("/v1/notifications/%s/retry" % n["id"], want=200)
    wait_for(lambda: all("address that we do not connect to" in n["why"] for n in notifications("held")) and len(notifications("held")) == 2, "still held")
    same(smdp.connections, 0)


@case
def what_a_setting_lists_is_connected_to_and_gets_the_notifications():
    server.set("outbound.allow", "127.0.0.0/8")
    server.restart()
    smdp.mood = 302
    first = notifications("held")[-1]["id"]
    same(server.eimctl("notification", "retry", first).status, 0)
    wait_for(lambda: any(n["why"] == "the SM-DP+ answers 302" for n in notifications("waiting")), "a redirect is an error")
    check(all(path == "/gsma/rsp2/es9plus/handleNotification" for path, _, _ in smdp.got), "and never followed", smdp.got)
    smdp.mood = 503
    wait_for(lambda: any(n["why"] == "the SM-DP+ answers 503" for n in notifications("waiting")), "tried again")
    server.restart(hard=True)                      # the outbox survives
    smdp.mood = 204
    for n in notifications("held"):
        server.eimctl("notification", "retry", n["id"])
    wait_for(lambda: len(notifications("forwarded")) == 2, "both arrive", 30)
    path, headers, body = smdp.got[-1]
    same(headers["User-Agent"], "gsma-rsp-lpad")
    same(headers["Content-Type"], "application/json;charset=UTF-8")
    check(headers["X-Admin-Protocol"].startswith("gsma/rsp/v2."), headers)
    request = json.loads(body)
    same(sorted(request), ["header", "pendingNotification"])
    same(sorted(request["header"]), ["functionCallIdentifier", "functionRequesterIdentifier"])
    raw = base64.b64decode(request["pendingNotification"], validate=True)
    decoded = server.eimctl("decode", "--type", "PendingNotification", "--json", raw.hex())
    same(decoded.status, 0, decoded)
    check(smdp.address in decoded.text, decoded)
    m = server.metrics()
    check('eimd_outbox{state="held"}' in m and "eimd_outbox_oldest_age_seconds" in m, "gauges", m)
    check(m["eimd_notifications_forwarded_total"] >= 2, m)


@case
def an_account_that_is_not_enabled_forbids_its_address():
    smdp.mood = 204
    another = Fleet(1, seed=8, directory=fleet.dir)
    who = another.enrol(server)[0]
    before = len(smdp.got)
    made = server.post("/v1/smdp-accounts", {"name": "off", "address": smdp.address, "enabled": False, "x_admin_protocol": "2.5.0", "function_requester": "us"})
    order(who, download={"activation_code": "1$%s$MATCH" % smdp.address})
    switch(another)
    wait_for(lambda: len(notifications("held")) == 2, "held")
    same(len(smdp.got), before)
    # enabled: listed without any order, and met as its account says
    put = dict({k: v for k, v in made.items() if k not in ("id", "changed_at")}, enabled=True)
    same(server.api("PUT", "/v1/smdp-accounts/" + made["id"], put).status, 200)
    count = len(notifications("forwarded"))
    for n in notifications("held"):
        same(server.eimctl("notification", "retry", n["id"]).status, 0)
    wait_for(lambda: len(notifications("forwarded")) == count + 2, "both arrive", 30)
    path, headers, body = smdp.got[-1]
    same((headers["X-Admin-Protocol"], json.loads(body)["header"]["functionRequesterIdentifier"]), ("gsma/rsp/v2.5.0", "us"))
    same(server.api("DELETE", "/v1/smdp-accounts/" + made["id"]).status, 204)


@case
def people_see_what_is_stuck_and_may_drop_it():
    smdp.mood = 500
    second = Fleet(1, seed=6, directory=fleet.dir)
    who = second.enrol(server)[0]
    order(who, download={"activation_code": "1$%s$MATCH" % smdp.address})
    switch(second)
    wait_for(lambda: len(notifications("waiting")) == 2 and any(n["tries"] > 1 for n in notifications("waiting")), "two wait")
    listed = server.eimctl("notification", "list", "--state", "waiting")
    check("the SM-DP+ answers 500" in listed.text and "Enable" in listed.text, listed)
    n = notifications("waiting")[0]
    shown = server.eimctl("notification", "show", n["id"])
    check(n["address"] in shown.text and who in shown.text, shown)
    same(server.eimctl("notification", "drop", n["id"]).text.split()[1], "dropped")
    same(server.eimctl("notification", "retry", n["id"]).status, 1)
    same(server.api("POST", "/v1/notifications/%s/drop" % n["id"]).status, 409)
    same(server.api("POST", "/v1/notifications/ntf_0000000000000001/drop").status, 404)
    same(server.api("POST", "/v1/notifications/op_0000000000000001/drop").status, 400)
    same(server.api("GET", "/v1/notifications?state=sent").status, 400)
    smdp.mood = 204
    wait_for(lambda: len(notifications("forwarded")) == 5, "the other arrives", 30)
    actions = [e["action"] for e in server.get("/v1/audit?limit=500")["items"] if e["action"].startswith("notification.")]
    check({"notification.held", "notification.retried", "notification.forwarded", "notification.dropped"} <= set(actions), actions)


# ---------------------------------------------------------------- injection


class Ipa:
    """`eimsim ipa`: device number i of the fleet, which eimd can reach."""

    def __init__(self, i, port=0, *options):
        blob = fleet.dir + "/eim.der"
        with open(blob, "wb") as f:
            f.write(server.api("GET", "/v1/eim/configuration.der").body)
        self.process = subprocess.Popen(
            [program("eimsim"), "ipa", "--pki", fleet.dir, "--eim-config", blob, "--seed", str(fleet.seed), "--device", str(i), "--certificate", cert,
             "--key", key, "--listen", str(port), *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, preexec_fn=lib._die_with_parent)
        line = self.process.stdout.readline().decode()
        check(line.startswith("listening on 127.0.0.1:"), line)
        self.port = int(line.rsplit(":", 1)[1])

    def stop(self):
        self.process.terminate()
        out, _ = self.process.communicate()
        same(self.process.returncode, 0)
        return json.loads(out)


def reach_in(binding, i, scheme="https"):
    fleet.n = i + 1
    eid_ = fleet.eids()[i]
    ipa = Ipa(i, 0, *(["--coap"] if scheme == "coaps" else []))
    with open(cert) as f:
        pem = f.read()
    r = server.api("POST", "/v1/devices", {"eid": eid_, "injection": {"address": "%s://localhost:%d" % (scheme, ipa.port), "binding": binding, "trust": pem}})
    same(r.status, 201, r)
    wait_for(lambda: server.get("/v1/devices/" + eid_)["inventory"]["as_of"], "first contact without a poll")
    d = server.get("/v1/devices/" + eid_)
    same(d["verification"], "ci")
    to = [p["iccid"] for p in d["profiles"] if p["state"] == "disabled"][0]
    op = server.post("/v1/devices/%s/operations" % eid_, {"psmos": [{"enable": {"iccid": to}}]})["id"]
    wait_for(lambda: server.get("/v1/operations/" + op)["state"] == "done", "pushed and done")
    wait_for(lambda: server.get("/v1/devices/" + eid_)["injection"]["next_try_at"] is None, "nothing left to push")
    d = server.get("/v1/devices/" + eid_)
    same((d["injection"]["why"], d["injection"]["failures"], d["injection"]["binding"]), (None, 0, binding))
    same(d["injection"]["address"], "%s://localhost:%d" % (scheme, ipa.port))
    check(d["injection"]["reached_at"] and d["last_seen"], d)
    done = ipa.stop()
    same(done["polls"], 0)
    check(done["pushes"] >= 6 and done["acks"] >= 3 and done["switches"] == 1 and done["removed"] == done["acks"], done)
    return eid_, ipa.port


@case
def a_device_is_pushed_to_in_asn1():
    reach_in("asn1", 1)


@case
def a_device_is_pushed_to_over_coap_in_both_bindings():
    reach_in("asn1", 5, "coaps")
    reach_in("json", 6, "coaps")


@case
def an_address_that_is_not_listed_is_not_reached_over_coap_either():
    fleet.n = 8
    eid_ = fleet.eids()[7]
    same(server.api("POST", "/v1/devices", {"eid": eid_, "injection": {"address": "coaps://169.254.169.254", "binding": "asn1"}}).status, 201)
    wait_for(lambda: server.get("/v1/devices/" + eid_)["injection"]["failures"] == 1, "refused")
    check("may be connected to" in server.get("/v1/devices/" + eid_)["injection"]["why"], server.get("/v1/devices/" + eid_)["injection"])
    same(server.eimctl("device", "reach", eid_, "--not").status, 0)


@case
def a_device_that_is_away_is_left_to_its_poll_and_woken_by_a_person():
    eid_, port = reach_in("json", 2)
    op = server.post("/v1/devices/%s/inventory" % eid_)["id"]
    wait_for(lambda: server.get("/v1/devices/" + eid_)["injection"]["failures"] == 1, "it does not answer")
    same(server.get("/v1/operations/" + op)["state"], "sent")
    ipa = Ipa(2, port)
    pushed = server.eimctl("device", "push", eid_)
    same(pushed.status, 0, pushed)
    wait_for(lambda: server.get("/v1/operations/" + op)["state"] != "sent", "it answers")
    ipa.stop()


@case
def only_a_trusted_device_on_a_listed_address_is_pushed_to():
    other, other_key = certificate(work, "stranger")
    fleet.n = 4
    eid_ = fleet.eids()[3]
    ipa = Ipa(3)
    same(server.api("POST", "/v1/devices", {"eid": eid_}).status, 201)
    same(server.eimctl("device", "push", eid_).status, 1)
    shown = server.eimctl("device", "reach", eid_, "--at", "https://localhost:%d" % ipa.port, "--trust", other)
    same(shown.status, 0, shown)
    wait_for(lambda: server.get("/v1/devices/" + eid_)["injection"]["failures"] == 1, "another certificate")
    check("certificate" in server.get("/v1/devices/" + eid_)["injection"]["why"], server.get("/v1/devices/" + eid_))
    same(server.eimctl("device", "reach", eid_, "--at", "https://[::1]:%d" % ipa.port).status, 1)
    same(server.eimctl("device", "reach", eid_, "--at", "http://localhost:%d" % ipa.port).status, 1)
    same(server.eimctl("device", "reach", eid_).status, 2)
    same(server.eimctl("device", "reach", eid_, "--not").status, 0)
    same(server.get("/v1/devices/" + eid_)["injection"], None)
    same(ipa.stop()["pushes"], 0)
    for bad in ({"injection": 7}, {"other": 1}, {}, {"injection": {"address": "https://h", "x": 1}}):
        same(server.api("PATCH", "/v1/devices/" + eid_, bad).status, 400, bad)


if __name__ == "__main__":
    main()
