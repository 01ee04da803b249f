"""Who may do what: every route under every built-in role against a table written by hand, own roles, tokens and their end."""
from lib import *

server = Eimd()
EID = "89049032000000000000000000000128"
V, O, A, P, S, D = ROLES = "viewer", "operator", "approver", "policy_author", "security_officer", "administrator"
LOOKERS = {V, O, A, P, S, D}
# Written by hand from what the roles are for, not from the program. A route that is missing here fails the first case.
TABLE = {
    "GET /healthz": None, "GET /readyz": None,
    "GET /metrics": LOOKERS,
    "GET /v1/devices": LOOKERS, "GET /v1/devices/count": LOOKERS, "POST /v1/devices": {O, D}, "GET /v1/devices/{eid}": LOOKERS, "DELETE /v1/devices/{eid}": {D},
    "GET /v1/devices/{eid}/operations": LOOKERS, "POST /v1/devices/{eid}/operations": {O, D}, "POST /v1/devices/{eid}/inventory": {O, D},
    "POST /v1/quarantine": {S, D}, "POST /v1/handover": {D}, "GET /v1/interop": LOOKERS, "POST /v1/rotation": {D},
    "GET /v1/quirks": LOOKERS, "POST /v1/quirks": {D}, "DELETE /v1/quirks/{id}": {D}, "POST /v1/inventory-export": {D},
    "POST /v1/devices/{eid}/signing-key": {D}, "POST /v1/devices/{eid}/control": {D},
    "GET /v1/operations": LOOKERS, "GET /v1/operations/{id}": LOOKERS, "POST /v1/operations/{id}/cancel": {O, D},
    "GET /v1/operations/{id}/package": LOOKERS, "GET /v1/operations/{id}/result": LOOKERS,
    "PATCH /v1/devices/{eid}": {O, D}, "POST /v1/devices/{eid}/push": {O, D},
    "GET /v1/notifications": LOOKERS, "GET /v1/notifications/{id}": LOOKERS,
    "POST /v1/notifications/{id}/retry": {O, D}, "POST /v1/notifications/{id}/drop": {O, D},
    "GET /v1/eim/configuration": LOOKERS, "GET /v1/eim/configuration.der": LOOKERS,
    "GET /v1/smdp-accounts": LOOKERS, "POST /v1/smdp-accounts": {D}, "GET /v1/smdp-accounts/{id}": LOOKERS,
    "PUT /v1/smdp-accounts/{id}": {D}, "DELETE /v1/smdp-accounts/{id}": {D},
    "GET /v1/profile-orders": LOOKERS, "POST /v1/profile-orders": {O, D}, "GET /v1/profile-orders/{id}": LOOKERS,
    "POST /v1/profile-orders/{id}/cancel": {O, D}, "POST /v1/profile-orders/{id}/retry": {O, D},
    "GET /v1/code-pools": LOOKERS, "POST /v1/code-pools": {D}, "GET /v1/code-pools/{id}": LOOKERS, "DELETE /v1/code-pools/{id}": {D},
    "GET /v1/code-pools/{id}/codes": LOOKERS, "POST /v1/code-pools/{id}/codes": {D},
    "POST /v1/activation-codes/{id}/return": {D}, "POST /v1/activation-codes/{id}/withdraw": {D},
    "GET /v1/tokens": {S, D}, "POST /v1/tokens": {S, D}, "DELETE /v1/tokens/{id}": {S, D},
    "GET /v1/roles": {S, D}, "PUT /v1/roles/{name}": {S, D}, "DELETE /v1/roles/{name}": {S, D},
    "GET /v1/openapi.json": LOOKERS, "GET /v1/events": LOOKERS, "GET /v1/devices/{eid}/timeline": LOOKERS, "GET /v1/whoami": LOOKERS, "POST /v1/access/explain": {S, D},
    "GET /v1/evidence": {S, D},
    "GET /v1/audit": {S, D}, "GET /v1/audit/key": {S, D}, "GET /v1/audit/head": {S, D}, "GET /v1/audit/lines/{number}": {S, D},
    "GET /v1/audit/inclusion/{number}": {S, D}, "GET /v1/audit/consistency/{size}": {S, D},
}
FILL = {"{eid}": EID, "{id}": "op_0000000000000001", "{name}": "nobody_has_it", "{number}": "999999", "{size}": "0"}
TOKENS = {}


def token(name, role, **more):
    r = server.api("POST", "/v1/tokens", dict({"name": name, "role": role}, **more))
    same(r.status, 201, r)
    return r.json()


def call(secret, method, path, body=None):
    return server.api(method, path, body, token=secret)


@case
def each_route_has_a_line_in_the_table():
    with open(os.path.join(ROOT, "src/front/rest.c")) as f:
        rows = re.findall(r'^    \{ "([A-Z]+)", "(/[^"]*)", PERM_', f.read(), re.M)
    check(len(rows) > 30, rows)
    same(sorted(" ".join(r) for r in rows), sorted(TABLE))


@case
def each_role_gets_through_where_the_table_says_and_nowhere_else():
    for role in ROLES:
        TOKENS[role] = token("walk-" + role.replace("_", "-"), role)["token"]
    for row, who in TABLE.items():
        method, path = row.split(" ")
        for what, value in FILL.items():
            path = path.replace(what, value)
        for role in ROLES:
            status = call(TOKENS[role], method, path, {} if method in ("POST", "PUT", "PATCH") else None).status
            if who is None or role in who:
                check(status not in (401, 403), row, role, status)
            else:
                same(status, 403, row, role)
        if who is not None and path != "/metrics":
            same(call(None, method, path).status, 401, row)


@case
def whoami_and_explain_say_the_same_as_the_door():
    me = call(TOKENS[O], "GET", "/v1/whoami").json()
    same((me["name"], me["tenant"], me["role"]), ("token:walk-operator", 1, O))
    check("operation_create" in me["permissions"] and "audit_read" not in me["permissions"], me)
    for row, who in TABLE.items():
        method, path = row.split(" ")
        for role in ROLES:
            r = server.post("/v1/access/explain", {"role": role, "method": method, "path": path.replace("{", "").replace("}", "")}, want=200)
            same(r["allowed"], who is None or role in who, row, role)
            same(role in r["roles_that_may"], r["allowed"], row, role)
            check(r["why"], r)
    done = server.eimctl("access", "explain", "viewer", "POST", "/v1/devices")
    check(done.status == 0 and b"device_enrol" in done.out and b"no" in done.out, done)
    same(server.api("POST", "/v1/access/explain", {"role": "viewer", "method": "GET", "path": "/nowhere"}).status, 404)


@case
def nobody_gives_away_what_he_may_not_do():
    s = TOKENS[S]
    r = call(s, "POST", "/v1/tokens", {"name": "more", "role": D})
    same((r.status, r.json()["code"]), (403, "E_FORBIDDEN"), r)
    same(call(s, "POST", "/v1/tokens", {"name": "less", "role": V}).status, 201)
    same(call(s, "PUT", "/v1/roles/sneaky", {"permissions": ["device_remove"]}).status, 403)
    same(server.api("PUT", "/v1/roles/remover", {"permissions": ["device_read", "device_remove"]}).status, 204)
    same(call(s, "PUT", "/v1/roles/remover", {"permissions": ["device_read"]}).status, 403, "nor takes away")
    same(call(s, "DELETE", "/v1/roles/remover").status, 403)
    same(call(s, "PUT", "/v1/roles/viewer", {"permissions": []}).status, 409)
    for bad in ({"permissions": ["fly"]}, {"permissions": "device_read"}, {}, {"permissions": [], "x": 1}):
        same(server.api("PUT", "/v1/roles/other", bad).status, 400, bad)
    same(server.api("PUT", "/v1/roles/BAD", {"permissions": []}).status, 400)


@case
def an_own_role_rules_its_tokens_from_the_moment_it_changes():
    mine = token("own", "remover")
    same(call(mine["token"], "GET", "/v1/devices").status, 200)
    same(call(mine["token"], "DELETE", "/v1/devices/" + EID).status, 404)
    same(call(mine["token"], "GET", "/v1/operations").status, 403)
    same(server.api("PUT", "/v1/roles/remover", {"permissions": ["operation_read"]}).status, 204)
    same(call(mine["token"], "GET", "/v1/devices").status, 403)
    same(call(mine["token"], "GET", "/v1/operations").status, 200)
    same(server.api("DELETE", "/v1/roles/remover").status, 204)
    same(call(mine["token"], "GET", "/v1/operations").status, 401, "its role is gone")
    same(server.api("DELETE", "/v1/roles/remover").status, 404)


@case
def a_token_is_shown_once_expires_and_is_revoked_at_once():
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    t = token("lives", "viewer", expires_at=soon)
    check(t["token"].startswith("eimd_") and t["expires_at"].startswith(soon[:-1]), t)
    same(call(t["token"], "GET", "/v1/devices").status, 200)
    listed = server.get("/v1/tokens?limit=500")["items"]
    mine = [k for k in listed if k["id"] == t["id"]][0]
    check("token" not in mine and t["token"] not in json.dumps(listed), mine)
    wait_for(lambda: [k for k in server.get("/v1/tokens?limit=500")["items"] if k["id"] == t["id"]][0]["used_at"], "its last use to be seen")
    same(server.api("DELETE", "/v1/tokens/" + t["id"]).status, 204)
    same(call(t["token"], "GET", "/v1/devices").status, 401)
    same(server.api("DELETE", "/v1/tokens/" + t["id"]).status, 409)
    same(server.api("DELETE", "/v1/tokens/tok_0000000000000001").status, 404)
    same(server.api("POST", "/v1/tokens", {"name": "late", "role": "viewer", "expires_at": "2001-01-01T00:00:00Z"}).status, 400)
    for bad in ({"name": "", "role": "viewer"}, {"name": "x y", "role": "viewer"}, {"name": "x"}, {"name": "x", "role": "viewer", "z": 1},
                {"name": "x", "role": "viewer", "expires_at": "tomorrow"}):
        same(server.api("POST", "/v1/tokens", bad).status, 400, bad)
    same(server.api("POST", "/v1/tokens", {"name": "x", "role": "king"}).status, 404)


@case
def all_of_it_by_eimctl_and_in_the_audit_log():
    same(server.eimctl("role", "set", "clerk", "device_read,self").status, 0)
    check(b"clerk" in server.eimctl("role", "list").out)
    made = server.eimctl("token", "create", "ctl", "--role", "clerk", "--expires", "1h")
    same(made.status, 0, made)
    secret = made.out.decode().strip()
    same(call(secret, "GET", "/v1/whoami").json()["permissions"], ["device_read", "self"])
    row = [l for l in server.eimctl("token", "list", "--all").out.decode().splitlines() if " ctl " in l][0]
    same(server.eimctl("token", "revoke", row.split()[0]).status, 0)
    same(call(secret, "GET", "/v1/whoami").status, 401)
    same(server.eimctl("role", "remove", "clerk").status, 0)
    same(server.eimctl("token", "create", "x").status, 2)
    log = server.get("/v1/audit?limit=500")["items"]
    actions = [a["action"] for a in log]
    check({"role.changed", "role.removed", "token.created", "token.revoked"} <= set(actions), actions)
    check(secret not in json.dumps(log) and all(s not in json.dumps(log) for s in TOKENS.values()), "no secret in the log")


main()
