"""Pools of activation codes: filled, handed out, returned; no code in answers, logs or the audit, and sealed in the database. Killed between."""
import concurrent.futures

from lib import *

server = Eimd()
fleet = Fleet(1)
EID = fleet.eids()[0]
SECRET = "MATCH-7f3a-SECRET"
POOL = {}


@case
def a_pool_is_made_and_what_is_wrong_is_named():
    good = {"name": "north", "operator": "B", "profile_type": "iot", "smdp": "DP.example.com", "warn_below": 2}
    made = server.api("POST", "/v1/code-pools", good)
    same(made.status, 201, made)
    POOL.update(made.json())
    same((POOL["smdp"], POOL["low"], POOL["codes"]["free"]), ("dp.example.com", True, 0))
    same(server.api("POST", "/v1/code-pools", good).status, 409)
    for member, bad in (("name", "a b"), ("operator", ""), ("profile_type", 1), ("smdp", "dp/x"), ("warn_below", -1), ("colour", "red")):
        r = server.api("POST", "/v1/code-pools", dict(good, name="other", **{member: bad}) if member != "name" else dict(good, name=bad))
        same((r.status, r.json().get("field")), (400, member), r)
    same(os.stat(os.path.join(server.dir, "codes.key")).st_mode & 0o777, 0o600)


@case
def it_is_filled_and_wrong_codes_are_named_by_their_part():
    path = "/v1/code-pools/%s/codes" % POOL["id"]
    r = server.post(path, {"codes": ["LPA:1$dp.example.com$" + SECRET, "1$dp.example.com$" + SECRET, "1$elsewhere.example$X", "3$x$y", 7]}, want=200)
    same((r["added"], [(x["line"], x["code"]) for x in r["refused"]]), (1, [(2, "E_CONFLICT"), (3, "E_INVALID"), (4, "E_INVALID"), (5, "E_INVALID")]))
    check("SM-DP+ address" in r["refused"][1]["detail"] and "format" in r["refused"][2]["detail"], r)
    for name in os.listdir(server.dir):
        if name.startswith("eimd.db"):
            check(SECRET.encode() not in open(os.path.join(server.dir, name), "rb").read(), name)
    same(server.api("POST", path, {"codes": []}).status, 400)
    same(server.api("POST", path, {"codes": ["x"] * 1001}).status, 413)


@case
def a_code_is_handed_out_once_and_survives_a_kill():
    fleet.enrol(server)
    order = {"download": {"operator": "B", "profile_type": "iot"}}
    made = server.api("POST", "/v1/devices/%s/operations" % EID, order)
    same(made.status, 201, made)
    server.restart(hard=True)
    same(server.get("/v1/code-pools/" + POOL["id"])["codes"]["reserved"], 1)
    same(server.api("POST", "/v1/devices/%s/operations" % EID, order).status, 409)
    one = server.get("/v1/code-pools/%s/codes" % POOL["id"])["items"][0]
    same((one["state"], one["operation"]), ("reserved", made.json()["id"]))
    same(server.api("DELETE", "/v1/code-pools/" + POOL["id"]).status, 409)
    same(server.api("POST", "/v1/activation-codes/%s/withdraw" % one["id"]).status, 409)
    same(server.api("POST", "/v1/operations/%s/cancel" % made.json()["id"]).status, 200)
    same(server.get("/v1/code-pools/" + POOL["id"])["codes"]["free"], 1)
    same(server.api("POST", "/v1/devices/%s/operations" % EID, {"download": {"operator": "C", "profile_type": "iot"}}).status, 404)


@case
def the_same_by_eimctl():
    made = server.eimctl("pool", "add", "south", "S", "m2m", "dp.south.example", "--warn-below", "1", "--json")
    same(made.status, 0, made)
    pool = json.loads(made.text)["id"]
    codes = "# codes\n1$dp.south.example$A1\n\nLPA:1$dp.south.example$A2\n1$wrong$$\n"
    done = server.eimctl("pool", "fill", pool, "-", input=codes.encode())
    check(done.status == 1 and b"line 5" in done.err and b"2 codes" in done.out, done)
    check("south" in server.eimctl("pool", "list").text and "m2m" in server.eimctl("pool", "show", pool).text)
    same(server.eimctl("operation", "create", EID, "--download", "pool=S/m2m").status, 0)
    check("reserved" in server.eimctl("pool", "codes", pool).text)
    bad = server.eimctl("operation", "create", EID, "--download", "pool=S/m2m", "--requires", "memory=0")
    check(bad.status == 1 and b"requires.memory" in bad.err, bad)
    spare = [l.split()[0] for l in server.eimctl("pool", "codes", pool).text.splitlines() if " free" in l][0]
    same(server.eimctl("pool", "withdraw", spare).status, 0)
    same(server.eimctl("pool", "return", spare).status, 1)
    same(server.eimctl("pool", "remove", pool).status, 1)
    check("eimd_codes_handed_out_total" in server.api("GET", "/metrics").body.decode())


@case
def a_profile_order_is_filled_by_whoever_can():
    pool = server.post("/v1/code-pools", {"name": "q", "operator": "Q", "profile_type": "m2m", "smdp": "dp.q.example"})["id"]
    server.post("/v1/code-pools/%s/codes" % pool, {"codes": ["1$dp.q.example$A3"]}, want=200)
    made = server.eimctl("order", "add", EID, "Q", "m2m", "--json")
    same(made.status, 0, made)
    one = json.loads(made.text)
    same((one["state"], one["by"], one["eid"]), ("placed", "pool", EID))
    check("placed" in server.eimctl("order", "list").text and "pending" in server.eimctl("order", "show", one["id"]).text)
    check("cancelled" in server.eimctl("order", "cancel", one["id"]).text)
    same(server.eimctl("order", "retry", one["id"]).status, 1)
    same(server.get("/v1/code-pools/" + pool)["codes"]["free"], 1)
    server.post("/v1/smdp-accounts", {"name": "t", "address": "dp.t.example", "operator": "T", "es2_url": "https://127.0.0.1:1"})
    made = server.api("POST", "/v1/profile-orders", {"eid": EID, "operator": "T", "profile_type": "m2m"})
    same((made.status, made.json()["by"]), (201, "es2plus"), made)
    path = "/v1/profile-orders/" + made.json()["id"]
    wait_for(lambda: "downloadOrder" in (server.get(path)["cause"] or ""), what="the call's cause")
    server.restart(hard=True)
    wait_for(lambda: server.get(path)["state"] == "ordering", what="the order after a kill")
    wait_for(lambda: server.api("POST", path + "/cancel").status == 200, what="the end of a call")
    same(server.get(path)["state"], "cancelled")
    same([x["id"] for x in server.get("/v1/profile-orders?limit=1")["items"]], [made.json()["id"]])
    same(server.api("POST", "/v1/profile-orders", {"eid": EID, "operator": "Nobody", "profile_type": "m2m"}).status, 404)


@case
def many_orders_at_once_get_a_code_each_until_there_is_none():
    for store in (None, postgres().fresh()):
        one, many = Eimd({"api.workers": "8"}, store=store), Fleet(8, seed=7)
        many.enrol(one)
        pool = one.post("/v1/code-pools", {"name": "p", "operator": "B", "profile_type": "iot", "smdp": "dp.example.com", "warn_below": 3})["id"]
        one.post("/v1/code-pools/%s/codes" % pool, {"codes": ["1$dp.example.com$C%d" % i for i in range(5)]}, want=200)
        with concurrent.futures.ThreadPoolExecutor(8) as pool_of_threads:
            got = list(pool_of_threads.map(lambda eid: one.api("POST", "/v1/devices/%s/operations" % eid,
                                                               {"download": {"operator": "B", "profile_type": "iot"}}), many.eids()))
        same(sorted(r.status for r in got), [201] * 5 + [409] * 3, [r.body for r in got])
        codes = one.get("/v1/code-pools/%s/codes" % pool)["items"]
        same(sorted(c["operation"] for c in codes), sorted(r.json()["id"] for r in got if r.status == 201))
        one.stop()


@case
def no_code_is_anywhere_it_should_not_be():
    entries = json.dumps(server.get("/v1/audit?limit=500"))
    for action in ("pool.added", "pool.filled", "pool.low", "code.moved"):
        check(action in entries, action)
    for where, text in (("audit", entries), ("log", server.log()), ("pool", json.dumps(server.get("/v1/code-pools/%s/codes" % POOL["id"]))),
                        ("operation", json.dumps(server.get("/v1/operations")))):
        check(SECRET not in text and "A2" not in re.findall(r"\$A2", text), where)
    same(server.api("DELETE", "/v1/code-pools/" + POOL["id"]).status, 204)


main()
