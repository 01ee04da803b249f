"""ES2+ as a whole: a simulated SM-DP+ takes an order over mutual TLS, with confirmation code and release, the device installs the profile through the
eIM, and the SM-DP+ tells us so at the eIM's own ES2+ door, which lets in nobody else."""
from lib import *

PATH = "/gsma/rsp2/es2plus/handleDownloadProgressInfo"


def text(path):
    with open(path) as f:
        return f.read()


fleet = Fleet(1, seed=61)
EID = fleet.eids()[0]
server = Eimd(settings={"eim.indirect_download": "yes", "outbound.allow": "127.0.0.0/8, ::1/128", "es2plus.enabled": "yes",
                        "es2plus.listen": "127.0.0.1:0"}, start=False, trust=fleet.root)
os.makedirs(server.dir + "/es2", exist_ok=True)
operator = certificate(server.dir + "/es2", "operator-c")
peer, stranger = certificate(tmpdir(), "peer"), certificate(tmpdir(), "stranger")
smdp = Smdp(fleet, "--es2", operator[0])
server.start()
fleet.enrol(server)
account = server.post("/v1/smdp-accounts", {
    "name": "c", "address": smdp.address, "operator": "C", "oid": "2.999.10", "trust": text(fleet.root), "es2_url": "https://localhost:%d" % smdp.es2_port,
    "es2_credential": "operator-c", "es2_release": True, "es2_peer": text(peer[0])})


def progress(iccid, **more):
    return dict({"header": {"functionRequesterIdentifier": "smdp.c", "functionCallIdentifier": "1"}, "eid": EID, "iccid": iccid, "profileType": "iot",
                 "timestamp": "2026-11-27T12:00:00Z", "notificationPointId": 4, "notificationPointStatus": {"status": "Executed-Success"}}, **more)


def tell(body, client=peer, method="POST", path=PATH, media="application/json"):
    """One call at the ES2+ door: its status, and the member that was wrong. None: TLS lets nobody in."""
    context = ssl.create_default_context(cafile=server.ca)
    if client:
        context.load_cert_chain(*client)
    c = http.client.HTTPSConnection("localhost", server.es2_port, context=context, timeout=CALL_SECONDS)
    try:
        c.request(method, path, body if isinstance(body, bytes) else json.dumps(body).encode(), {"Content-Type": media})
        r = c.getresponse()
    except (ssl.SSLError, ConnectionError):
        return None, None
    data = r.read()
    return r.status, json.loads(data).get("field") if data[:1] == b"{" else None


@case
def an_order_with_confirmation_code_and_release_ends_on_the_device():
    code = tmpdir() + "/code"
    with open(code, "w") as f:
        f.write("4711-SECRET\n")
    made = server.eimctl("order", "add", EID, "C", "iot", "--confirmation", code, "--json")
    same(made.status, 0, made)
    path = "/v1/profile-orders/" + json.loads(made.text)["id"]
    wait_for(lambda: server.get(path)["state"] == "placed", what="the order")
    one = server.get(path)
    same((one["by"], one["download"], one["smdp_notified"]), ("es2plus", "pending", None), one)
    fleet.run(server, "--download", "indirect")
    wait_for(lambda: fleet.run(server, "--download", "indirect") and server.get(path)["download"] == "done", what="the download")
    check(one["iccid"] in [p["iccid"] for p in server.get("/v1/devices/" + EID)["profiles"]], "it is on the device")

    same(tell(progress(one["iccid"])), (204, None))
    told = server.get(path)["smdp_notified"]
    same((told["point"], told["status"], told["elsewhere"]), (4, "success", False), told)
    check("success" in server.eimctl("order", "show", json.loads(made.text)["id"]).text)
    events = server.get("/v1/events?type=profile_order.notified")["items"]
    same([e["eid"] for e in events], [EID], events)
    same(tell(progress(one["iccid"])), (204, None))
    same(len(server.get("/v1/events?type=profile_order.notified")["items"]), 1, "said again: told once")
    for where, words in (("log", server.log()), ("audit", json.dumps(server.get("/v1/audit?limit=500"))), ("order", json.dumps(server.get(path)))):
        check("4711" not in words and "ORDER-0001" not in words, where)
    cancel = server.api("POST", path + "/cancel")
    same(cancel.status, 409, "it is installed: nothing is taken back")


@case
def the_door_lets_in_nobody_else_and_names_what_is_wrong():
    good = progress("8949003000000000000")
    same(tell(good)[0], 204, "of no order: taken, and nobody's")
    same(tell(good, client=None)[0], None)
    same(tell(good, client=stranger)[0], 403)
    same(tell(good, method="GET")[0], 405)
    same(tell(good, path="/v1/devices")[0], 404)
    same(tell(good, media="text/plain")[0], 415)
    same(tell(b"{" + b" " * 20000 + b"}")[0], 413)
    same(tell(b"{\"header\":")[0], 400)
    for field, bad in (("iccid", "12"), ("iccid", None), ("eid", "x" * 32), ("notificationPointId", "4"), ("notificationPointId", -1),
                       ("notificationPointStatus", {"status": "Fine"}), ("header", {}), ("header", 7)):
        same(tell(dict(good, **{field: bad})), (400, field), bad)
    failed = {"status": "Failed", "statusCodeData": {"subjectCode": "8.1\n", "reasonCode": "3.8"}}
    same(tell(progress("8949003000000000000", notificationPointStatus=failed)), (400, "subjectCode"))
    same(server.api("GET", "/healthz").status, 200)


@case
def an_account_that_is_changed_or_disabled_closes_the_door():
    body = {k: v for k, v in server.get("/v1/smdp-accounts/" + account["id"]).items() if k not in ("id", "changed_at")}
    good = progress("8949003000000000000")
    same(server.api("PUT", "/v1/smdp-accounts/" + account["id"], dict(body, es2_peer=text(peer[0]) + text(stranger[0]))).status, 200)
    same((tell(good)[0], tell(good, client=stranger)[0]), (204, 204))
    same(server.api("PUT", "/v1/smdp-accounts/" + account["id"], dict(body, enabled=False)).status, 200)
    same(tell(good)[0], 403)
    same(server.api("PUT", "/v1/smdp-accounts/" + account["id"], dict(body, es2_peer=None)).status, 200)
    same(tell(good)[0], 403)


main()
