"""PostgreSQL is killed at every step of the round trip, under a running eimd: what is acknowledged is durable, nothing is executed twice.

Between simulated devices and eimd stands a proxy that understands ESipa: it ends TLS, reads every message, and at a chosen message
crashes the database before, while or after eimd answers, starts it again and loses what was under way. So each crash hits the step
it is meant for. In the end every device is switched, and what the proxy saw tells whether a counter left with two byte strings or an
acknowledged result was lost. (test/e2e/kill9.py does the like to eimd itself.)
"""
import random
from concurrent.futures import ThreadPoolExecutor

from lib import *

DEVICES = 8
KILLER = ThreadPoolExecutor(1)          # a child dies with the thread that started it, so one thread that stays starts them all

# When it is killed, relative to the exchange of the message that is awaited.
NOT_SENT, IN_WORK, ANSWERED, DELIVERED = "before eimd gets it", "while eimd works on it", "before the answer is passed on", "after the answer was passed on"


def is_poll(request, reply):
    return request[:2] == b"\xbf\x4f"


def is_result(request, reply):
    return tlv_find(request, "BF50", "BF51") is not None or tlv_find(request, "BF50", "30", "BF51") is not None


def has_package(request, reply):
    return is_poll(request, reply) and tlv_find(reply or b"", "BF4F", "BF51") is not None


def has_acks(request, reply):
    return is_result(request, reply) and tlv_find(reply or b"", "BF50", "BF53") is not None


# step of the round trip -> (which message, when)
STEPS = [
    ("a poll is on its way", is_poll, NOT_SENT),
    ("a poll was received and not answered", is_poll, IN_WORK),
    ("a package is signed and did not leave", has_package, ANSWERED),
    ("a package left", has_package, DELIVERED),
    ("a result is on its way", is_result, NOT_SENT),
    ("a result was received and not acknowledged", is_result, IN_WORK),
    ("a result is durable and its acknowledgement did not leave", has_acks, ANSWERED),
    ("a result was acknowledged", has_acks, DELIVERED),
]


class Gone(Exception):
    """The exchange ends without an answer, as for a device whose connection breaks."""


class Proxy:
    def __init__(self, server, again, steps):
        """`again` kills the victim and starts it again; `steps` are done one after the other, each at the first message that fits."""
        self.server, self.again, self.steps = server, again, list(steps)
        self.lock, self.done = threading.Lock(), []
        self.random = random.Random(1)
        self.packages, self.acks, self.troubles = {}, set(), []
        self.cert, key = certificate(tmpdir(), "proxy")
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.cert, key)
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            s, _ = self.socket.accept()
            threading.Thread(target=self.serve, args=(s,), daemon=True).start()

    def serve(self, s):
        try:
            with self.context.wrap_socket(s, server_side=True) as t:
                while self.exchange(t):
                    pass
        except (Gone, OSError, http.client.HTTPException):
            pass                        # the device comes again
        except Exception:
            self.troubles.append(traceback.format_exc())

    def exchange(self, t):
        f = t.makefile("rb")
        line = f.readline()
        if not line:
            return False
        headers = http.client.parse_headers(f)
        request = f.read(int(headers["Content-Length"]))
        status, reply = self.forward(request)
        t.sendall(b"HTTP/1.1 %d -\r\nX-Admin-Protocol: gsma/rsp/v2.1.0\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s"
                  % (status, ASN1_TYPE.encode(), len(reply), reply))
        self.strike(request, reply, DELIVERED)
        return True

    def forward(self, request):
        if self.strike(request, None, NOT_SENT):
            raise Gone
        c = self.server.device()
        try:
            c.http.request("POST", ASN1_PATH, request, ESIPA_HEADERS)
            if self.strike(request, None, IN_WORK, lambda: time.sleep(self.random.uniform(0, 0.02))):
                raise Gone
            r = c.http.getresponse()
            reply = r.read()
        finally:
            c.close()
        if r.status == 200:
            self.look(request, reply)
        if self.strike(request, reply, ANSWERED):
            raise Gone
        return r.status, reply

    def strike(self, request, reply, when, first=lambda: None):
        """Is this the awaited moment? Then kill and start again, while all others wait."""
        if not self.steps or self.steps[0][2] != when or not self.steps[0][1](request, reply):
            return False
        with self.lock:
            if not self.steps or self.steps[0][2] != when or not self.steps[0][1](request, reply):
                return False
            first()
            KILLER.submit(self.again).result()
            self.done.append(self.steps.pop(0)[0])
            return True

    def look(self, request, reply):
        device = (tlv_find(request, "BF4F", "5A") or tlv_find(request, "BF50", "5A")).hex()
        package = tlv_find(reply, "BF4F", "BF51")
        if package is not None:
            counter = tlv_find(package, "30", "81")
            with self.lock:
                self.packages.setdefault((device, counter), set()).add(package)
        for tag, value in tlv_list(tlv_find(reply, "BF50", "BF53") or b""):
            with self.lock:
                self.acks.add((device, int.from_bytes(value, "big")))


def run_fleet(server, fleet, again, steps):
    """Switch all devices from A to B while the steps strike; then everything is as if nothing had happened."""
    eids = fleet.enrol(server)
    orders = {e: server.post("/v1/devices/%s/operations" % e, {"psmos": [{"enable": {"iccid": fleet.iccids(i)["Operator B"]}}]})["id"]
              for i, e in enumerate(eids)}
    proxy = Proxy(server, again, steps)
    report = fleet.run(server, "--jitter", "50", url="https://localhost:%d" % proxy.port, cacert=proxy.cert)
    same(proxy.troubles, [], "troubles of the proxy")
    same(proxy.steps, [], "steps that were never reached; done:", proxy.done)
    same((report["idle"], report["owing"], report["enabled"]["Operator B"]), (DEVICES, 0, DEVICES), report)
    same(report["counters"]["switches"], DEVICES, "each card was switched once", report["counters"])
    same(report["counters"]["results_given_up"], 0)
    for (device, counter), forms in proxy.packages.items():
        same(len(forms), 1, "byte strings that left under counter", counter.hex(), "of", device)
    for i, e in enumerate(eids):
        look_at(server, e, orders[e], fleet.iccids(i)["Operator B"], {seq for d, seq in proxy.acks if d == e})
    same(next(v for n, v in server.metrics().items() if "results_refused" in n), 0.0, "refused results")
    return report


def look_at(server, e, order, iccid_b, acked):
    operations = server.get("/v1/devices/%s/operations?limit=500" % e)["items"]
    mine = [o for o in operations if o["id"] == order]
    same([(o["state"], o["code"]) for o in mine], [("done", 0)], e)
    same({o["state"] for o in operations}, {"done"}, e)
    counters = [o["counter"] for o in operations]
    same(len(set(counters)), len(counters), "counters", counters)
    device = server.get("/v1/devices/" + e)
    same((device["enabled_profile"]["iccid"], device["enabled_profile"]["provenance"]), (iccid_b, "eUICC-signed"), e)
    same((device["verification"], device["inventory"]["stale"], device["association"]["counter"]), ("ci", False, max(counters)), e)
    same((device["queue"]["in_flight"], device["queue"]["wants"]), (None, []), e)
    results = {o["sequence"] for o in operations}
    check(results <= acked, "results that the card still holds", results - acked)
    same(len(acked - results), device["notifications"]["verified"], "what was acknowledged and is no result is a stored notification", acked)


@case
def the_database_killed_at_every_step():
    fleet = Fleet(DEVICES, seed=8)
    cluster = postgres()
    server = Eimd(store=cluster.fresh(), trust=fleet.root)

    def again():
        cluster.kill()
        cluster.start()

    run_fleet(server, fleet, again, STEPS)
    server.stop()


@case
def dead_connections_are_made_anew_and_no_device_sees_them():
    """Every connection that eimd holds breaks at once; each is found dead by another request."""
    cluster = postgres()
    s = Eimd(store=cluster.fresh())
    s.api("POST", "/v1/devices", [{"eid": eid(i)} for i in range(1, 41)])
    cluster.kill()
    r = s.api("POST", "/v1/devices", {"eid": eid(99)})
    check(r.status == 503 and int(r.headers["Retry-After"]) >= 1, r)
    cluster.start()
    wait_for(lambda: s.api("GET", "/readyz").status == 200, "ready again")
    for i in range(1, 41):              # more than eimd has connections; a first contact is written
        r = s.esipa(get_eim_package(eid(i)))
        check(r.status == 200 and tlv_find(r.body, "BF4F", "BF52") is not None, i, r)
    s.get("/v1/devices/" + eid(99), want=404)
    s.stop()


main()
