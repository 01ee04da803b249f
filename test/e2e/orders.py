"""Profile orders by ES2+ over real mutual TLS: ordered, confirmed, taken back; who has no credential is refused; killed in the middle of a call."""
import http.server
import threading

from lib import *


class Es2:
    """The ES2+ side of an SM-DP+ that wants a client certificate."""

    def __init__(self, identity, client):
        self.calls, self.hold = [], threading.Event()
        self.hold.set()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.calls.append((self.path, body))
                outer.hold.wait(60)
                n = len([c for c in outer.calls if c[0].endswith("downloadOrder")])
                answer = {"header": {"functionExecutionStatus": {"status": "Executed-Success"}}, "iccid": "89490010000000%05d" % n,
                          "matchingId": "M-%d-SECRET" % n, "smdpAddress": "dp.b.example"}
                data = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*identity)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = "https://localhost:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def count(self, function):
        return len([c for c in self.calls if c[0] == "/gsma/rsp2/es2plus/" + function])


fleet = Fleet(1, seed=9)
EID = fleet.eids()[0]
server = Eimd(settings={"outbound.allow": "127.0.0.0/8,::1"}, start=False, trust=fleet.root)
os.makedirs(server.dir + "/es2", exist_ok=True)
client = certificate(server.dir + "/es2", "operator-b")
identity = certificate(tmpdir(), "dp")
es2 = Es2(identity, client[0])
server.start()
fleet.enrol(server)


def order(operator):
    made = server.api("POST", "/v1/profile-orders", {"eid": EID, "operator": operator, "profile_type": "iot"})
    same((made.status, made.json().get("by")), (201, "es2plus"), made)
    return "/v1/profile-orders/" + made.json()["id"]


def account(operator, **more):
    with open(identity[0]) as f:
        server.post("/v1/smdp-accounts", dict({"name": operator, "address": "dp.%s.example" % operator.lower(), "operator": operator, "es2_url": es2.url,
                                               "trust": f.read()}, **more))


@case
def a_profile_is_ordered_and_taken_back_by_mutual_tls():
    account("B", es2_credential="operator-b", function_requester="eim.us")
    path = order("B")
    wait_for(lambda: server.get(path)["state"] == "placed", what="the order")
    one = server.get(path)
    same((one["iccid"], one["download"], one["cause"]), ("8949001000000000001", "pending", None))
    same([c[0].split("/")[-1] for c in es2.calls], ["downloadOrder", "confirmOrder"])
    same((es2.calls[0][1]["eid"], es2.calls[0][1]["profileType"], es2.calls[0][1]["header"]["functionRequesterIdentifier"]), (EID, "iot", "eim.us"))
    same(server.api("POST", path + "/cancel").status, 200)
    wait_for(lambda: server.get(path)["state"] == "cancelled", what="cancelOrder")
    same((es2.count("cancelOrder"), es2.calls[-1][1]["iccid"]), (1, one["iccid"]))
    for where, text in (("order", json.dumps(server.get(path))), ("audit", json.dumps(server.get("/v1/audit?limit=500"))), ("log", server.log())):
        check("SECRET" not in text, where)
    check("profile_order.moved" in json.dumps(server.get("/v1/audit?limit=500")))


@case
def without_a_credential_nothing_is_ordered():
    account("N")
    before = len(es2.calls)
    path = order("N")
    wait_for(lambda: server.get(path)["cause"], what="the refusal")
    same(len(es2.calls), before)
    check(server.get(path)["state"] in ("ordering", "unclear"), server.get(path))


@case
def a_kill_in_the_middle_of_a_call_orders_nothing_twice():
    before = es2.count("downloadOrder")
    es2.hold.clear()
    path = order("B")
    wait_for(lambda: es2.count("downloadOrder") == before + 1, what="the call")
    server.restart(hard=True)
    es2.hold.set()
    same((server.get(path)["state"], server.api("POST", path + "/cancel").status), ("ordering", 409))
    last = order("B")                              # and it holds up nobody
    wait_for(lambda: server.get(last)["state"] == "placed", what="the next order")
    same(es2.count("downloadOrder"), before + 2)
    same(server.get(path)["state"], "ordering")


main()
