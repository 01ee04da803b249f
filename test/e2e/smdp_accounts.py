"""SM-DP+ accounts: made, seen, changed and removed by the API and by eimctl; what is wrong in one is named."""
from lib import *

server = Eimd()
PATH = "/v1/smdp-accounts"


@case
def an_account_goes_round():
    made = server.api("POST", PATH, {"name": "north", "address": "DP.Example.com:8443", "operator": "Nørth", "oid": "2.999.10"})
    same(made.status, 201, made)
    one = made.json()
    same((one["address"], one["enabled"], one["max_parallel"], one["trust"]), ("dp.example.com:8443", True, 16, None))
    same(server.get(PATH + "/" + one["id"]), one)
    same([a["id"] for a in server.get(PATH)["items"]], [one["id"]])
    for clash in ({"name": "north", "address": "other.example"}, {"name": "other", "address": "dp.example.com:8443"}):
        same(server.api("POST", PATH, clash).status, 409, clash)
    put = server.api("PUT", PATH + "/" + one["id"], {"name": "north", "address": "dp.example.com", "enabled": False, "total_timeout_ms": 5000})
    same((put.status, put.json()["enabled"], put.json()["operator"], put.json()["total_timeout_ms"]), (200, False, None, 5000), put)
    same(server.api("DELETE", PATH + "/" + one["id"]).status, 204)
    same(server.api("DELETE", PATH + "/" + one["id"]).status, 404)
    same(server.api("GET", PATH + "/" + one["id"]).status, 404)
    same(server.api("PUT", PATH + "/" + one["id"], {"name": "north", "address": "dp.example.com"}).status, 404)


@case
def what_is_wrong_is_named():
    good = {"name": "x", "address": "dp.example.com"}
    for member, bad in (("name", ""), ("name", "../x"), ("name", 1), ("address", "dp.example.com/x"), ("address", "user@dp"), ("address", None),
                        ("oid", "2."), ("oid", "abc"), ("trust", "no PEM"), ("es2_url", "http://es2.example"), ("es2_url", "https://a b"),
                        ("es2_credential", "../../key"), ("x_admin_protocol", "2.1\r\nX: y"), ("connect_timeout_ms", 0), ("total_timeout_ms", 10**9),
                        ("max_parallel", 0), ("max_parallel", "16"), ("enabled", 1), ("operator", "a\nb"), ("colour", "red")):
        r = server.api("POST", PATH, dict(good, **{member: bad}))
        same((r.status, r.json().get("field")), (400, member), r)
    same(server.api("POST", PATH, []).status, 400)
    same(server.api("GET", PATH + "/op_0000000000000001").status, 400)
    same(server.get(PATH)["items"], [])


@case
def the_same_by_eimctl_and_in_the_audit_log():
    with open(server.dir + "/root.pem", "wb") as f:
        f.write(open(server.ca, "rb").read())
    made = server.eimctl("smdp", "add", "south", "dp.south.example", "--set", "trust=@" + server.dir + "/root.pem", "--set", "max_parallel=3", "--json")
    same(made.status, 0, made)
    one = json.loads(made.text)
    same((one["max_parallel"], "BEGIN CERTIFICATE" in one["trust"]), (3, True), one)
    check("dp.south.example" in server.eimctl("smdp", "list").text)
    check("its own anchors" in server.eimctl("smdp", "show", one["id"]).text)
    same(server.eimctl("smdp", "set", one["id"], "--set", "enabled=false", "--set", "trust=").status, 0)
    now = server.get(PATH + "/" + one["id"])
    same((now["enabled"], now["trust"], now["max_parallel"]), (False, None, 3))
    same(server.eimctl("smdp", "set", one["id"], "--set", "enabled").status, 2)
    same(server.eimctl("smdp", "remove", one["id"]).status, 0)
    actions = [a["action"] for a in server.get("/v1/audit?limit=500")["items"]]
    check({"smdp.added", "smdp.changed", "smdp.removed"} <= set(actions), actions)


main()
