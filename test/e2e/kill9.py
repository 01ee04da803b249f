"""kill -9 of eimd at every step of the signed round trip: nothing promised is lost, nothing is executed twice.

A fleet of eight is switched to its second profile through a proxy of ours, which ends TLS with eimd's own certificate and
so knows what each message is. Every device counts its exchanges that came to an end, and PLAN names the ones that do not
come to one at the first try:

    going     the request is written to eimd, which is killed while it works on it: before, in or after the commit,
              as the pauses of PAUSES have it
    coming    the answer is here, whole, and eimd is killed at once; the device never sees the answer

Then eimd is started again on the same data, and the device, whose connection just broke, tries again by itself. The fleet
has one thread, so that one exchange is under way at a time and each kill hits the step that it is meant for. What an
answer promised (a counter spent, a result acknowledged) must be in the store that the killed process left behind.
"""
import concurrent.futures
import hashlib
import http.server

from lib import *

SEED, DEVICES, PHASES = 909, 8, 9
PAUSES = (0, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.03, 0.06)    # seconds between the last octet of a request and its kill
SETTLE_SECONDS = 240
SWITCH, LIST, NOTHING = "switch", "list", "nothing pending"
STEPS = {"poll: data request", "result: data", "poll: switch", "result: switch", "poll: list", "result: list", "poll: nothing pending"}


def plan(device, phase):
    """Which tries of this exchange die, in order. Four in eight do, each step in both ways, on different devices.

    The first, the poll that gets the data request, dies once at most: a request that left twice without an answer is followed by a package
    (scenario_switch has that case), and here every device is to go the same way, whichever side of its commit a kill falls on."""
    tries = [["going"], [], ["coming"], [], ["going", "coming"], [], [], ["coming", "going"]][(phase + device) % 8] if phase < PHASES else []
    return tries if phase else tries[:1]


def kind_of_package(bf51):
    return LIST if b"\xbf\x2d" in bf51 else SWITCH


class Trial:
    """One store: its eimd, the proxy before it, the simulated fleet, and all that was seen."""

    def __init__(self, name, store):
        self.name, self.store, self.server, self.fleet = name, store, None, None
        self.lock = threading.RLock()   # one exchange, or one look by the API, at a time; eimd is up whenever it is free
        self.eids, self.phase, self.tried, self.last = [], {}, {}, {}
        self.hits, self.wire, self.troubles, self.ahead = [], {}, [], 0
        self.starter = concurrent.futures.ThreadPoolExecutor(1)     # eimd dies with the thread that started it: one that stays

    # -- before

    def prepare(self):
        s = self.server = Eimd(store=self.store() if self.store else None, start=False)
        self.work = os.path.dirname(s.dir)
        self.pki = self.work + "/simulator"
        made = run(program("eimsim"), "pki", "--out", self.pki)
        same(made.status, 0, made)
        shutil.copy(self.pki + "/ci.pem", s.dir + "/trust/simulator-ci.pem")
        s.start()
        listed = run(program("eimsim"), "enrolment", "--devices", DEVICES, "--seed", SEED, "--pki", self.pki)
        same(listed.status, 0, listed)
        r = s.api("POST", "/v1/devices", listed.out, headers={"Content-Type": "application/jsonl"})
        same((r.status, r.json()["enrolled"]), (200, DEVICES), r)
        self.eids = [json.loads(l)["eid"] for l in listed.text.splitlines()]
        self.wanted, self.orders = {}, {}
        for i, e in enumerate(self.eids):
            shown = run(program("eimsim"), "show", "--seed", SEED, "--device", i)
            check(("EID    " + e) in shown.text, shown)
            self.wanted[e] = re.search(r"^ICCID +(\d+) +Operator B$", shown.text, re.M).group(1)
            self.orders[e] = s.post("/v1/devices/%s/operations" % e, {"psmos": [{"enable": {"iccid": self.wanted[e], "rollback": True}}]})["id"]
            self.phase[e], self.wire[e] = 0, set()
        with open(self.work + "/add.der", "wb") as f:
            f.write(s.api("GET", "/v1/eim/configuration.der").body)

    def listen(self):
        trial = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                try:
                    with trial.lock:
                        reply = trial.exchange(body)
                except Exception:
                    trial.troubles.append(traceback.format_exc())
                    reply = None
                if reply is None:
                    self.close_connection = True
                    return
                self.send_response_only(reply.status)
                for name in ("Content-Type", "X-Admin-Protocol", "Retry-After"):
                    if reply.headers.get(name):
                        self.send_header(name, reply.headers[name])
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

        class Proxy(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, address):
                pass                    # a fleet that ends breaks its connections

        self.proxy = Proxy(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server.dir + "/tls/cert.pem", self.server.dir + "/tls/key.pem")
        self.proxy.socket = context.wrap_socket(self.proxy.socket, server_side=True)
        threading.Thread(target=self.proxy.serve_forever, daemon=True).start()

    # -- one exchange

    def exchange(self, body):
        """What the device gets: eimd's reply, or None when the power went first."""
        tag, value = tlv_list(body)[0]
        device = tlv_find(value, "5A").hex()
        tries = plan(self.eids.index(device), self.phase[device])
        n = self.tried.get((device, self.phase[device]), 0)
        self.tried[device, self.phase[device]] = n + 1
        how = tries[n] if n < len(tries) else None
        before = self.snapshot() if how else None
        reply = self.forward(body, how)
        if reply is not None:
            same(reply.status, 200, reply)
            package = tlv_find(reply.body, "BF4F", "BF51") if tag == "BF4F" else None
            if package is not None:
                self.wire[device].add(tlv("BF51", package))
        if how:
            self.starter.submit(self.server.start).result()
            self.compare(before, self.snapshot(), how, device)
            if reply is None:
                self.hits.append((how, device, self.phase[device]))
                return None
            self.promised(device, tag, value, reply.body)
            self.hits.append((how, device, self.phase[device]))
            return None
        self.last[device, self.phase[device]] = self.step(device, tag, value, reply.body)
        self.phase[device] += 1
        return reply

    def forward(self, body, how):
        c = self.server.device()
        try:
            if how != "going":
                reply = c.request("POST", ASN1_PATH, body, ESIPA_HEADERS)
                if how:
                    self.server.kill9()
                return reply
            c.http.request("POST", ASN1_PATH, body, ESIPA_HEADERS)
            time.sleep(PAUSES[len(self.hits) % len(PAUSES)])
            self.server.kill9()
            return None
        finally:
            c.close()

    def step(self, device, tag, value, reply):
        """The name of an exchange that came to its end, and on the way what the device holds now."""
        if tag == "BF4F":
            inside = dict(tlv_list(tlv_find(reply, "BF4F")))
            if "BF51" in inside:
                self.last[device] = kind_of_package(inside["BF51"])
                return "poll: " + self.last[device]
            if "BF52" in inside:
                return "poll: data request"
            same(inside, {"02": b"\x01"}, "a poll's answer")
            return "poll: " + NOTHING
        same(tag, "BF50")
        return "result: data" if tlv_find(value, "BF52") is not None else "result: " + self.last[device]

    def promised(self, device, tag, value, reply):
        """The answer left eimd, then the power went: what it says must be in the store."""
        ops = [o for o in self.operations() if o["eid"] == device]
        if tag == "BF4F":
            package = tlv_find(reply, "BF4F", "BF51")
            if package is not None:
                sent = [o for o in ops if o["state"] == "sent"]
                same(len(sent), 1, "operations in flight", ops)
                same(self.bytes_of(sent[0], "package"), tlv("BF51", package), "the package that left")
            return
        result = tlv_find(value, "BF51") or tlv_find(value, "30", "BF51")
        acks = tlv_find(reply, "BF50", "BF53")
        if result is not None and not acks:         # nothing is promised; right only while no key is known to verify it with
            same(self.server.get("/v1/devices/" + device)["verification"], "unverified", reply.hex())
        elif result is not None:
            kept = [o for o in ops if o["result_at"] and self.bytes_of(o, "result") == tlv("BF51", result)]
            same([o["state"] for o in kept], ["done"], "the acknowledged result", ops)
        else:
            check(self.server.get("/v1/devices/" + device)["reported"], "acknowledged data are kept", device)

    # -- looking by the API

    def operations(self):
        page = self.server.get("/v1/operations?limit=500")
        same(page["next"], None, "one page holds all operations")
        return page["items"]

    def bytes_of(self, op, what):
        r = self.server.api("GET", "/v1/operations/%s/%s" % (op["id"], what))
        same(r.status, 200, op["id"], what)
        return r.body

    def snapshot(self):
        return {o["id"]: (o, self.bytes_of(o, "package") if o["counter"] else None) for o in self.operations()}

    def compare(self, before, after, how, device):
        """Before the exchange that the kill ended, and after the restart: only that exchange may have left a trace."""
        for name, (old, package) in before.items():
            check(name in after, name, "is gone")
            new, again = after[name]
            if old["final"] or new["eid"] != device:
                same((new, again), (old, package), "nobody touched it")
            elif package is not None:
                same((new["counter"], again), (old["counter"], package), "a package in flight", name)
        changed = {n: (o["state"], o["deliveries"]) for n, (o, _) in after.items()} != {n: (o["state"], o["deliveries"]) for n, (o, _) in before.items()}
        self.ahead += how == "going" and changed

    def settled(self):
        check(not self.troubles, *self.troubles[:1])
        check(self.fleet.poll() is None, "the fleet ended by itself")
        with self.lock:
            if min(self.phase.values()) < PHASES or not all(o["final"] for o in self.operations()):
                return False
            views = [self.server.get("/v1/devices/" + e) for e in self.eids]
        return all(v["inventory"]["as_of"] and not v["inventory"]["stale"] for v in views) and views

    def run_fleet(self):
        self.fleet = subprocess.Popen(
            [program("eimsim"), "fleet", "--url", "https://127.0.0.1:%d" % self.proxy.server_address[1], "--cacert", self.server.ca,
             "--pki", self.pki, "--eim-config", self.work + "/add.der", "--devices", str(DEVICES), "--seed", str(SEED), "--threads", "1",
             "--interval", "100", "--json"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=_die_with_parent)
        try:
            self.views = wait_for(self.settled, "every order to end and every inventory to be fresh", SETTLE_SECONDS, 0.25)
        finally:
            self.fleet.terminate()
            out, err = self.fleet.communicate(timeout=60)
            self.proxy.shutdown()
        self.report = json.loads(out)


_die_with_parent = sys.modules["lib"]._die_with_parent


def cases_of(trial):
    """The cases of one store, in the order in which they are run."""
    def named(function):
        function.__name__ = "%s: %s" % (trial.name, function.__name__)
        return case(function)

    @named
    def a_fleet_is_switched_through_all_kills():
        trial.prepare()
        trial.listen()
        trial.run_fleet()
        for how in ("going", "coming"):
            hit = {trial.last[device, phase] for h, device, phase in trial.hits if h == how}
            same(hit, STEPS, "the steps at which eimd was killed,", how)
        want = sorted((h, i, p) for i in range(DEVICES) for p in range(PHASES) for h in plan(i, p))
        same(sorted((h, trial.eids.index(d), p) for h, d, p in trial.hits), want, "the kills")
        print("# %s: %d kills, of %d with the request under way %d had been committed"
              % (trial.name, len(trial.hits), sum(h == "going" for h, _, _ in trial.hits), trial.ahead), flush=True)

    @named
    def every_device_is_on_b_by_both_accounts():
        for v in trial.views:
            same(v["enabled_profile"]["iccid"], trial.wanted[v["eid"]])
            same(v["enabled_profile"]["provenance"], "eUICC-signed")
            same(v["queue"]["in_flight"], None)
        r = trial.report
        same((r["enabled"]["Operator B"], r["owing"], r["faulty"]), (DEVICES, 0, 0), r)

    @named
    def every_operation_is_done_and_was_executed_once():
        ops, n = trial.operations(), trial.report["counters"]
        same({o["state"] for o in ops}, {"done"}, ops)
        same({o["id"] for o in ops} >= set(trial.orders.values()), True)
        same((n["executed"], n["switches"], n["rollbacks"]), (len(ops), DEVICES, 0), n)
        same((n["refused_replay"], n["refused_unsigned"], n["refused_counter"], n["malformed"], n["refused_http"], n["results_given_up"],
              n["result_errors"], n["unknown_to_eim"]), (0,) * 8, n)
        check(n["transport_errors"] <= len(trial.hits), n)

    @named
    def a_counter_was_spent_once_and_its_bytes_never_changed():
        for e in trial.eids:
            mine = [o for o in trial.operations() if o["eid"] == e]
            counters = [o["counter"] for o in mine]
            same(len(set(counters)), len(counters), counters)
            same(max(counters), trial.server.get("/v1/devices/" + e)["association"]["counter"])
            same({trial.bytes_of(o, "package") for o in mine}, trial.wire[e], "what passed the proxy, and what the API shows")

    @named
    def the_audit_log_has_each_once():
        entries, cursor = [], None
        while cursor is not None or not entries:
            page = trial.server.get("/v1/audit?limit=500" + ("&cursor=" + cursor if cursor else ""))
            entries, cursor = entries + page["items"], page["next"]
            if cursor is None:
                break
        ids = sorted(o["id"] for o in trial.operations())
        for action in ("operation.sent", "operation.done"):
            same(sorted(a["operation"] for a in entries if a["action"] == action), ids, action)
        sent = {a["operation"]: a for a in entries if a["action"] == "operation.sent"}
        same(len({(a["eid"], a["counter"]) for a in sent.values()}), len(ids))
        for o in trial.operations():
            a = sent[o["id"]]
            same((a["eid"], a["counter"], a["sha256"]), (o["eid"], o["counter"], hashlib.sha256(trial.bytes_of(o, "package")).hexdigest()), a)
        trial.server.stop()


cases_of(Trial("SQLite", None))
cases_of(Trial("PostgreSQL", lambda: postgres().fresh()))
main()
