"""The REST API of doc/api.md against a real eimd over TLS: who may, what is refused and how it is said, and operations of simulated devices."""
import hashlib

from lib import *

SEED, DEVICES = 31, 3
SHORT = "1$a.io$HIDDEN99"
CODE = "1$smdp.example.com$ONCE-ONLY-MATCHING-ID"
server = Eimd(start=False)
pki = os.path.join(os.path.dirname(server.dir), "simulator")
made = run(program("eimsim"), "pki", "--out", pki)
same(made.status, 0, made)
shutil.copy(pki + "/ci.pem", server.dir + "/trust/simulator-ci.pem")
server.start()

STATUS = {"E_MALFORMED": 400, "E_INVALID": 400, "E_UNAUTHENTICATED": 401, "E_NOT_FOUND": 404, "E_METHOD": 405, "E_CONFLICT": 409, "E_STATE": 409,
          "E_TOO_LARGE": 413, "E_MEDIA_TYPE": 415, "E_RULE": 422, "E_LIMIT": 429, "E_CHAIN": 422}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
ICCID = "8949001763440000000"
D1, D2, NOBODY = eid(9001), eid(9002), eid(9999)
NO_OP = "op_" + "0" * 15 + "1"
ROUTES = {"/healthz": ["GET"], "/readyz": ["GET"], "/metrics": ["GET"], "/v1/devices": ["GET", "POST"], "/v1/devices/" + D1: ["GET", "PATCH", "DELETE"],
          "/v1/devices/%s/push" % D1: ["POST"],
          "/v1/devices/%s/operations" % D1: ["GET", "POST"], "/v1/devices/%s/inventory" % D1: ["POST"], "/v1/operations": ["GET"],
          "/v1/operations/" + NO_OP: ["GET"], "/v1/operations/%s/cancel" % NO_OP: ["POST"], "/v1/operations/%s/package" % NO_OP: ["GET"],
          "/v1/operations/%s/result" % NO_OP: ["GET"], "/v1/eim/configuration": ["GET"], "/v1/eim/configuration.der": ["GET"],
          "/v1/audit": ["GET"]}
EVERY_ANSWER = []                       # all bodies that the API gave in this program, for the secrets that must be in none


def api(method, path, body=None, **more):
    r = server.api(method, path, body, **more)
    EVERY_ANSWER.append(r.body)
    return r


def problem(r, code, field=None, *words):
    """An RFC 9457 problem with exactly the members of doc/api.md, this code, its status, this field, and the words in its detail."""
    p = r.json()
    same(r.headers["Content-Type"], "application/problem+json", p)
    same((p["code"], r.status, p["status"], p["type"]), (code, STATUS[code], STATUS[code], "urn:eimd:" + code), p)
    check(p["title"] and p["detail"] and set(p) <= {"type", "title", "status", "code", "detail", "field", "clause"}, p)
    same(p.get("field"), field, p)
    for w in words:
        check(w in p["detail"], "no", repr(w), "in", p)
    return p


def good(r, status=200):
    same(r.status, status, r)
    return r.json() if r.body else None


def order(e, **what):
    return api("POST", "/v1/devices/%s/operations" % e, what)


def audit():
    return list(pages("/v1/audit", 500))


def pages(path, limit):
    """All items of a list, page by page; no page is larger than asked for."""
    cursor = ""
    while cursor is not None:
        page = good(api("GET", "%s?limit=%d%s" % (path, limit, "&cursor=" + cursor if cursor else "")))
        same(sorted(page), ["items", "next"])
        check(len(page["items"]) <= limit, len(page["items"]))
        check(page["next"] is None or len(page["items"]) == limit, "a page before the last is full")
        yield from page["items"]
        cursor = page["next"]


# ---------------------------------------------------------------- rules for all routes

@case
def without_a_valid_token_nothing_is_told():
    bodies = set()
    for path, methods in ROUTES.items():
        for method in methods:
            if path in ("/healthz", "/readyz", "/metrics"):
                same(good(api(method, path, token=None)) if path != "/metrics" else api(method, path, token=None).status,
                     {"/healthz": {"status": "ok"}, "/readyz": {"status": "ready"}, "/metrics": 200}[path])
                continue
            for token in (None, "x", "eimd_" + "0" * 64, server.token[:-1], server.token + "0", server.token.upper()):
                r = api(method, path, b"{broken" if method in ("POST", "PATCH") else None, token=token)
                problem(r, "E_UNAUTHENTICATED")
                same(r.headers["WWW-Authenticate"], "Bearer", path)
                bodies.add(r.body)
    for text in ("Basic " + server.token, server.token, "Bearer", "Bearer  ", "Bearer " + server.token + " x"):
        r = api("GET", "/v1/devices", token=None, headers={"Authorization": text})
        problem(r, "E_UNAUTHENTICATED")
        bodies.add(r.body)
    same(len(bodies), 1, "one answer for all of them", bodies)
    good(api("GET", "/v1/devices", token=None, headers={"Authorization": "bearer " + server.token}))


@case
def other_methods_are_405_with_the_methods_that_there_are():
    for path, methods in ROUTES.items():
        for method in {"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"} - set(methods):
            r = api(method, path)
            problem(r, "E_METHOD")
            allowed = set(methods) | ({"HEAD"} if "GET" in methods else set())
            same(set(r.headers["Allow"].split(", ")), allowed, path)
    same(api("HEAD", "/v1/devices/%s/inventory" % D1).status, 405, "HEAD where there is no GET")


@case
def unknown_paths_are_404_even_without_a_token():
    for path in ("/", "/v1", "/v1/", "/v1/device", "/v1/devices/", "/v1/devices/%s/" % D1, "/v1/devices/%s/x" % D1, "/v2/devices", "/V1/devices",
                 "/v1/operations/%s/packages" % NO_OP, "/v1//devices", "/healthz/", "/metrics/x", "/gsma/rsp2/asn1", "/../etc/passwd"):
        problem(api("GET", path), "E_NOT_FOUND")
        problem(api("POST", path, {}, token=None), "E_NOT_FOUND")


@case
def query_parameters_are_strict():
    lists = ["/v1/devices", "/v1/operations", "/v1/audit"]
    for path in lists:
        problem(api("GET", path + "?lmit=1"), "E_INVALID", "lmit", "'lmit'")
        problem(api("GET", path + "?limit=5&limit=5"), "E_INVALID", "limit", "twice")
        for bad in ("0", "501", "-1", "1x", "", "5000", "%31%"):
            problem(api("GET", path + "?limit=" + bad), "E_INVALID", "query" if bad.endswith("%") else "limit")
        for bad in ("x", "", "0", "ffffffffffffffff", "00000000000000001"):
            problem(api("GET", path + "?cursor=" + bad), "E_INVALID", "cursor")
        good(api("GET", path + "?limit=%35%30%30"))
    problem(api("GET", "/v1/operations?state=asleep"), "E_INVALID", "state", "'asleep'")
    problem(api("GET", "/v1/devices?state=done"), "E_INVALID", "state")
    for path in set(ROUTES) - set(lists) - {"/v1/devices/%s/operations" % D1}:
        method = ROUTES[path][0]
        problem(api(method, path + "?pretty=1"), "E_INVALID", "pretty")


@case
def bodies_are_strict():
    orders = "/v1/devices/%s/operations" % NOBODY
    for path in ("/v1/devices", orders):
        problem(api("POST", path, b'{"eid":\n  "1",}'), "E_MALFORMED", None, "line 2, column ")
        problem(api("POST", path, b""), "E_MALFORMED", None, "line 1")
        problem(api("POST", path, b'{"eid":"1","eid":"2"}'), "E_MALFORMED", None, "eid")
        problem(api("POST", path, b'{"eid":"\xff"}'), "E_MALFORMED", None, "line 1")
        problem(api("POST", path, b"[" * 2000), "E_MALFORMED", None, "deeper")
        problem(api("POST", path, b'"text"'), "E_INVALID", "body")
        for kind in ("text/plain", "application/x-www-form-urlencoded", None):
            problem(api("POST", path, b"{}", headers={"Content-Type": kind}), "E_MEDIA_TYPE", "Content-Type")
    problem(api("POST", orders, b"[]"), "E_INVALID", "body")
    same(api("POST", "/v1/devices", b'{"eid":"%s"}' % b"1", headers={"Content-Type": "application/json; charset=utf-8"}).status, 400, "parameters are ignored")
    problem(api("POST", orders, b'{"psmos":[{"listProfileInfo":{}}]' + b" " * 65536 + b"}"), "E_TOO_LARGE", "body")
    problem(api("POST", "/v1/devices", b"[" + b" " * (1 << 20) + b"]"), "E_TOO_LARGE", "body")
    same(api("POST", "/v1/devices", b"[" + b" " * (1 << 21) + b"]").status, 413)
    problem(api("GET", "/v1/devices", b"{}"), "E_INVALID", "body")
    problem(api("POST", "/v1/devices/%s/inventory" % NOBODY, {"now": True}), "E_INVALID", "now")
    problem(api("POST", "/v1/devices/%s/inventory" % NOBODY, b"[]"), "E_INVALID", "body")
    problem(api("POST", "/v1/operations/%s/cancel" % NO_OP, {"why": 1}), "E_INVALID", "why")


@case
def ids_that_are_none_and_ids_of_nothing():
    for bad in ("1", NOBODY[:-1], NOBODY + "0", "x" * 32, "%00" * 32):
        for method, tail in (("GET", ""), ("DELETE", ""), ("GET", "/operations"), ("POST", "/inventory")):
            problem(api(method, "/v1/devices/" + bad + tail), "E_INVALID", "eid", "32 digits")
    for method, tail in (("GET", ""), ("DELETE", ""), ("GET", "/operations"), ("POST", "/inventory")):
        problem(api(method, "/v1/devices/" + NOBODY + tail), "E_NOT_FOUND", "eid")
    problem(order(NOBODY, psmos=[{"listProfileInfo": {}}]), "E_NOT_FOUND", "eid")
    for bad in ("1", "op_1", "xx_" + "0" * 16, "op_" + "g" * 16, "op_" + "f" * 16):
        for method, tail in (("GET", ""), ("POST", "/cancel"), ("GET", "/package"), ("GET", "/result")):
            problem(api(method, "/v1/operations/" + bad + tail), "E_INVALID", "id")
    for method, tail in (("GET", ""), ("POST", "/cancel"), ("GET", "/package"), ("GET", "/result")):
        problem(api(method, "/v1/operations/" + NO_OP + tail), "E_NOT_FOUND", "id")


@case
def head_is_get_without_the_body():
    for path in ("/healthz", "/readyz", "/metrics", "/v1/devices", "/v1/operations", "/v1/eim/configuration", "/v1/eim/configuration.der", "/v1/audit"):
        get, head = api("GET", path), api("HEAD", path)
        same((head.status, head.body, head.headers["Content-Type"]), (200, b"", get.headers["Content-Type"]), path)
        if path not in ("/metrics",):
            same(head.headers["Content-Length"], str(len(get.body)), path)
    head = api("HEAD", "/v1/devices/" + NOBODY)
    same((head.status, head.body), (404, b""))
    head = api("HEAD", "/v1/devices", token=None)
    same((head.status, head.body, head.headers["WWW-Authenticate"]), (401, b"", "Bearer"))


# ---------------------------------------------------------------- enrolment

def batch(body, kind):
    if not isinstance(body, bytes):
        body = body.encode()
    return api("POST", "/v1/devices", body, headers={"Content-Type": kind})


@case
def one_device_is_enrolled_shown_and_deleted():
    before = len(audit())
    r = api("POST", "/v1/devices", {"eid": D1, "labels": {"site": "hall-3", "model": "meter-x"}, "counter": 41, "association_token": 7})
    same(good(r, 201), {"eid": D1, "result": "enrolled"})
    same(r.headers["Location"], "/v1/devices/" + D1)
    d = good(api("GET", "/v1/devices/" + D1))
    same((d["eid"], d["verification"], d["association"], d["labels"]),
         (D1, "unverified", {"counter": 41, "token": 7}, {"site": "hall-3", "model": "meter-x"}))
    same((d["enabled_profile"], d["network"], d["state_change"], d["reported"], d["last_seen"], d["first_contact"]), (None,) * 6)
    same(d["inventory"], {"as_of": None, "stale": True, "evidence": None})
    same((d["profiles"], d["hints"], d["notifications"]), ([], [], {"verified": 0, "kept": 0}))
    same(d["queue"], {"in_flight": None, "next": None, "unsettled": None, "wants": ["data", "inventory"]})
    check(TIME.fullmatch(d["enrolled_at"]), d)
    p = problem(api("POST", "/v1/devices", {"eid": D1}), "E_CONFLICT", "eid")
    check("already" in p["detail"], p)
    good(api("POST", "/v1/devices", {"eid": D2}), 201)
    same(api("DELETE", "/v1/devices/" + D2).status, 204)
    problem(api("GET", "/v1/devices/" + D2), "E_NOT_FOUND", "eid")
    problem(api("DELETE", "/v1/devices/" + D2), "E_NOT_FOUND", "eid")
    news = audit()[before:]
    same([(a["principal"], a["action"], a["eid"]) for a in news],
         [("token:admin", "device.enrolled", D1), ("token:admin", "device.enrolled", D2), ("token:admin", "device.removed", D2)], "one line per change")
    for a in news:
        known = ["id", "at", "tenant", "principal", "action", "eid", "operation", "counter", "state", "sha256", "detail"]
        same(list(a), [k for k in known if k in a], "members in this order")
        check(TIME.fullmatch(a["at"]) and a["id"].startswith("aud_"), a)


@case
def enrolments_are_checked_member_by_member():
    broken = NOBODY[:-2] + "%02d" % ((int(NOBODY[-2:]) + 1) % 100)
    for member, value, code, field in (
            ("eid", broken, "E_INVALID", "eid"), ("eid", NOBODY[:-1], "E_INVALID", "eid"), ("eid", 5, "E_INVALID", "eid"), ("eid", None, "E_INVALID", "eid"),
            ("colour", "red", "E_INVALID", "colour"), ("labels", {"A": "x"}, "E_INVALID", "labels"), ("labels", {"a": "x" * 257}, "E_INVALID", "labels"),
            ("labels", {"l%d" % i: "" for i in range(33)}, "E_LIMIT", "labels"), ("association_token", -1, "E_INVALID", "association_token"),
            ("counter", -1, "E_INVALID", "counter"), ("counter", "1", "E_INVALID", "counter"), ("public_key", "AAAA", None, "public_key"),
            ("public_key", "#", "E_INVALID", "public_key"), ("eum_certificate", base64.b64encode(b"0").decode(), None, None)):
        r = api("POST", "/v1/devices", {"eid": NOBODY, member: value} if value is not None else {})
        p = r.json()
        problem(r, code or p["code"], field or p["field"])
    check("check digits" in api("POST", "/v1/devices", {"eid": broken}).json()["detail"], "the reason")
    problem(api("GET", "/v1/devices/" + NOBODY), "E_NOT_FOUND", "eid")


def lines_of(report):
    return [(l["line"], l["result"], l.get("code"), l.get("field")) for l in report["lines"]]


@case
def batches_enrol_the_good_lines_and_report_the_others():
    def forms(first):
        a, b, c = (eid(first + i) for i in range(3))
        bad = a[:-2] + "%02d" % ((int(a[-2:]) + 1) % 100)
        yield "application/json", json.dumps([{"eid": a}, {"eid": bad}, 7, {"eid": b, "labels": {"x": "y"}}, {"eid": c, "colour": 1}, {"eid": c}]), \
            [(2, "refused", "E_INVALID", "eid"), (3, "refused", "E_INVALID", None), (5, "refused", "E_INVALID", "colour")], [1, 4, 6]
        text = '{"eid":"%s"}\n\n{"eid":"%s"}\r\n{broken\n{"eid":"%s","labels":{"x":"y"}}\n[1]\n{"eid":"%s"}'
        for kind in ("application/jsonl", "application/x-ndjson"):
            yield kind, text % (a, bad, b, c), \
                [(3, "refused", "E_INVALID", "eid"), (4, "refused", "E_MALFORMED", None), (6, "refused", "E_INVALID", None)], [1, 5, 7]
        yield "text/csv; charset=utf-8", 'eid,label.x,counter\r\n%s,,\r\n%s,,\r\n%s,"a, ""b""\r\nc",5\r\n%s\r\n%s,y,many\r\n%s,y,6\r\n' % (a, bad, b, c, c, c), \
            [(3, "refused", "E_INVALID", "eid"), (6, "refused", "E_INVALID", None), (7, "refused", "E_INVALID", "counter")], [2, 4, 8]

    first = 1000
    for i in range(4):
        first += 10
        kind, body, refused, good_lines = list(forms(first))[i]
        before = len(audit())
        r = good(batch(body, kind))
        same((r["enrolled"], r["existing"], r["refused"]), (3, 0, 3), kind, r)
        same(lines_of(r), refused, kind)
        check(all(l["reason"] for l in r["lines"]), r)
        check("check digits" in r["lines"][0]["reason"] and r["lines"][0]["eid"], r)
        for k in range(3):
            same(good(api("GET", "/v1/devices/" + eid(first + k)))["eid"], eid(first + k))
        again = good(batch(body, kind))
        same((again["enrolled"], again["existing"], again["refused"]), (0, 3, 3), kind, again)
        same([(a["action"], a["eid"], a["principal"]) for a in audit()[before:]],
             [("device.enrolled", eid(first + k), "token:admin") for k in range(3)], "one line per device, none for the others")
        same(sorted(lines_of(again)), sorted(refused + [(n, "existing", None, None) for n in good_lines]), kind)
    same(good(api("GET", "/v1/devices/" + eid(first + 1)))["labels"], {"x": 'a, "b"\r\nc'}, "a quoted cell")
    same(good(api("GET", "/v1/devices/" + eid(first + 1)))["association"]["counter"], 5)


@case
def batches_that_cannot_be_read_are_refused_as_a_whole():
    problem(batch("eid,colour\r\n%s,red\r\n" % NOBODY, "text/csv"), "E_INVALID", "colour", "'colour'")
    problem(batch("eid,eid\r\n%s,%s\r\n" % (NOBODY, NOBODY), "text/csv"), "E_INVALID", "eid", "twice")
    problem(batch('[{"eid":"%s"},' % NOBODY, "application/json"), "E_MALFORMED", None, "line 1, column ")
    problem(batch(json.dumps([{"eid": eid(50000 + i)} for i in range(1001)]), "application/json"), "E_TOO_LARGE", "body", "1000")
    for n in (NOBODY, eid(50000), eid(51000)):
        problem(api("GET", "/v1/devices/" + n), "E_NOT_FOUND", "eid")


@case
def every_device_comes_on_exactly_one_page():
    report = good(batch("".join('{"eid":"%s"}\n' % eid(20000 + i) for i in range(230)), "application/jsonl"))
    same(report, {"enrolled": 230, "existing": 0, "refused": 0, "lines": []})
    whole = [d["eid"] for d in pages("/v1/devices", 500)]
    check(len(whole) == len(set(whole)) and {eid(20000 + i) for i in range(230)} <= set(whole), len(whole))
    for limit in (7, 100, len(whole), len(whole) - 1):
        same([d["eid"] for d in pages("/v1/devices", limit)], whole, limit)
    page = good(api("GET", "/v1/devices"))
    same([d["eid"] for d in page["items"]], whole[:100], "the default is 100")
    check("profiles" not in page["items"][0] and "queue" in page["items"][0], "short form")
    ids = [a["id"] for a in audit()]
    check(ids == sorted(ids) and len(set(ids)) == len(ids), "oldest first")
    same([a["id"] for a in pages("/v1/audit", 50)], ids)


# ---------------------------------------------------------------- orders

@case
def orders_that_are_not_lawful_say_which_rule():
    enable, disable = {"enable": {"iccid": ICCID}}, {"disable": {"iccid": ICCID}}
    lists, before = {"listProfileInfo": {}}, len(audit())
    for what, code, field in (
            ({}, "E_RULE", "psmos"), ({"psmos": [enable], "ecos": [{"listEim": {}}]}, "E_RULE", "psmos"),
            ({"psmos": []}, "E_INVALID", "psmos"), ({"psmos": [lists] * 17}, "E_INVALID", "psmos"), ({"psmos": {}}, "E_INVALID", "psmos"),
            ({"psmos": [{"enabel": {}}]}, "E_INVALID", "psmos"), ({"psmos": [{"listEim": {}}]}, "E_INVALID", "psmos"), ({"psmos": [dict(enable, **disable)]}, "E_INVALID", "psmos"),
            ({"ecos": []}, "E_INVALID", "ecos"), ({"ecos": [{"enable": {"iccid": ICCID}}]}, "E_INVALID", "ecos"), ({"ecos": [{"listEim": {}}] * 17}, "E_INVALID", "ecos"),
            ({"psmos": [{"enable": {}}]}, "E_INVALID", "enable.iccid"), ({"psmos": [{"enable": {"iccid": "1"}}]}, "E_INVALID", "enable.iccid"),
            ({"psmos": [{"enable": {"iccid": ICCID, "now": True}}]}, "E_INVALID", "enable.now"), ({"psmos": [{"enable": ICCID}]}, "E_INVALID", "enable"),
            ({"psmos": [{"enable": {"iccid": ICCID, "rollback": "yes"}}]}, "E_INVALID", "enable.rollback"),
            ({"psmos": [enable, enable]}, "E_RULE", "psmos"), ({"psmos": [disable, disable]}, "E_RULE", "psmos"),
            ({"psmos": [enable, lists]}, "E_RULE", "psmos"), ({"psmos": [disable, lists]}, "E_RULE", "psmos"), ({"psmos": [{"delete": {"iccid": ICCID}}, lists]}, "E_RULE", "psmos"),
            ({"psmos": [{"getRAT": {"x": 1}}]}, "E_INVALID", "getRAT.x"), ({"psmos": [{"setDefaultDpAddress": {}}]}, "E_INVALID", "setDefaultDpAddress.address"),
            ({"psmos": [{"setFallbackAttribute": {}}]}, "E_INVALID", "setFallbackAttribute.iccid"),
            ({"ecos": [{"addEim": {"eim_id": "x"}}]}, "E_RULE", "addEim"), ({"ecos": [{"addEim": {"public_key": "#", "eim_id": "x"}}]}, "E_INVALID", "addEim.public_key"),
            ({"ecos": [{"addEim": {"eim_id": "x", "protocols": ["carrierPigeon"]}}]}, "E_INVALID", "addEim.protocols"),
            ({"ecos": [{"deleteEim": {}}]}, "E_INVALID", "deleteEim.eim_id"),
            ({"psmos": [lists], "override": ["everything"]}, "E_INVALID", "override"), ({"psmos": [lists], "override": "no_enabled_profile"}, "E_INVALID", "override"),
            ({"psmos": [lists], "priority": 1}, "E_INVALID", "priority"),
            ({"psmos": [lists], "expires_at": "2020-01-01T00:00:00Z"}, "E_INVALID", "expires_at"), ({"psmos": [lists], "expires_at": "tomorrow"}, "E_INVALID", "expires_at"),
            ({"psmos": [lists], "expires_at": 5}, "E_INVALID", "expires_at"),
            ({"download": {"activation_code": CODE}, "psmos": [lists]}, "E_RULE", "download"), ({"download": {"activation_code": CODE}, "override": []}, "E_RULE", "download"),
            ({"download": {}}, "E_INVALID", "download"), ({"download": {"activation_code": CODE, "smds": True}}, "E_INVALID", "download"),
            ({"download": {"activation_code": "nonsense"}}, "E_INVALID", "download.activation_code"), ({"download": {"activation_code": CODE + "$$1"}}, "E_RULE", "download.activation_code"),
            ({"download": {"default_smdp": False}}, "E_INVALID", "download.default_smdp"), ({"download": {"smds": ""}}, "E_INVALID", "download.smds")):
        r = order(D1, **what)
        check(r.status == STATUS[code], what, r)
        problem(r, code, field)
    same(list(pages("/v1/devices/%s/operations" % D1, 500)), [], "nothing of it was queued")
    same(len(audit()), before, "nor written into the audit log")


@case
def lawful_orders_are_queued_cancelled_once_and_listed_newest_first():
    key = good(api("GET", "/v1/eim/configuration"))["public_key"]
    before, ids = len(audit()), []
    steps = [[{"enable": {"iccid": ICCID, "rollback": True}}], [{"disable": {"iccid": ICCID}}, {"enable": {"iccid": ICCID}}], [{"delete": {"iccid": ICCID}}],
             [{"listProfileInfo": {}}, {"getRAT": {}}], [{"configureImmediateEnable": {"enable": True}}], [{"setFallbackAttribute": {"iccid": ICCID}}],
             [{"unsetFallbackAttribute": {}}], [{"setDefaultDpAddress": {"address": "smdp.example.com"}}], [{"getRAT": {}}] * 16]
    ecos = [[{"listEim": {}}], [{"addEim": {"eim_id": "other", "public_key": key}}], [{"deleteEim": {"eim_id": "other"}}], [{"updateEim": {"eim_id": "other", "fqdn": "b.example"}}]]
    for kind, lists in (("psmos", steps), ("ecos", ecos)):
        for what in lists:
            r = order(D1, **{kind: what}, expires_at="2099-01-01T00:00:00Z")
            o = good(r, 201)
            same(r.headers["Location"], "/v1/operations/" + o["id"])
            check(re.fullmatch(r"op_[0-9a-f]{16}", o["id"]), o)
            same((o["eid"], o["state"], o["final"], o["kind"], o["origin"], o["created_by"]), (D1, "pending", False, "package", "api", "token:admin"))
            same([s["op"] for s in o["steps"]], [next(iter(s)) for s in what])
            same((o["expires_at"], o["override"], o["counter"], o["transaction_id"], o["package"], o["result"], o["code"], o["deliveries"]),
                 ("2099-01-01T00:00:00.000Z", [], None, None, None, None, None, 0))
            same(good(api("GET", r.headers["Location"])), o)
            ids.append(o["id"])
    same(good(api("GET", "/v1/operations/" + ids[0]))["steps"], [{"op": "enable", "iccid": ICCID, "rollback": True}])
    same([o["id"] for o in pages("/v1/devices/%s/operations" % D1, 3)], ids[::-1])
    same([o["id"] for o in pages("/v1/operations", 5)], ids[::-1])
    same([o["id"] for o in good(api("GET", "/v1/operations?state=pending&limit=500"))["items"]], ids[::-1])
    problem(api("GET", "/v1/operations/%s/package" % ids[0]), "E_NOT_FOUND", None, "package")
    problem(api("GET", "/v1/operations/%s/result" % ids[0]), "E_NOT_FOUND", None, "result")
    same(good(api("GET", "/v1/devices/" + D1))["queue"]["next"], ids[0])
    c = good(api("POST", "/v1/operations/%s/cancel" % ids[0]))
    same((c["id"], c["state"], c["final"]), (ids[0], "cancelled", True))
    problem(api("POST", "/v1/operations/%s/cancel" % ids[0], {}), "E_STATE", None, "cancelled")
    same(good(api("GET", "/v1/devices/" + D1))["queue"]["next"], ids[1])
    same([o["id"] for o in good(api("GET", "/v1/operations?state=cancelled"))["items"]], [ids[0]])
    news = audit()[before:]
    same([(a["principal"], a["action"], a["operation"], a["state"]) for a in news],
         [("token:admin", "operation.created", i, "pending") for i in ids] + [("token:admin", "operation.cancelled", ids[0], "cancelled")])
    for i in ids[1:]:
        good(api("POST", "/v1/operations/%s/cancel" % i))


@case
def the_queue_of_a_device_has_a_ceiling():
    ids = [good(api("POST", "/v1/devices/%s/inventory" % D1), 201)["id"] for _ in range(64)]
    problem(api("POST", "/v1/devices/%s/inventory" % D1), "E_LIMIT", None, "64")
    problem(order(D1, psmos=[{"getRAT": {}}]), "E_LIMIT", None, "64")
    good(api("POST", "/v1/devices/%s/inventory" % eid(1010)), 201)
    good(api("POST", "/v1/operations/%s/cancel" % ids[30]))
    good(api("POST", "/v1/devices/%s/inventory" % D1, {}), 201)
    problem(api("POST", "/v1/devices/%s/inventory" % D1), "E_LIMIT")
    same(api("DELETE", "/v1/devices/" + D1).status, 204)
    problem(api("GET", "/v1/operations/" + ids[0]), "E_NOT_FOUND", "id")


@case
def the_last_way_to_this_eim_is_not_cut_without_its_override():
    me = good(api("GET", "/v1/eim/configuration"))["eim_id"]
    e = eid(1011)
    problem(order(e, ecos=[{"deleteEim": {"eim_id": me}}]), "E_RULE", "override", "last_way_to_eim")
    problem(order(e, ecos=[{"deleteEim": {"eim_id": me}}], override=["no_enabled_profile"]), "E_RULE", "override")
    o = good(order(e, ecos=[{"deleteEim": {"eim_id": me}}], override=["last_way_to_eim"]), 201)
    same(o["override"], ["last_way_to_eim"])


# ---------------------------------------------------------------- the eIM itself

@case
def the_configuration_is_the_same_in_json_and_in_der():
    c = good(api("GET", "/v1/eim/configuration"))
    same(sorted(c), ["association_token", "counter", "eim_id", "eim_id_type", "fqdn", "public_key", "tls_anchor"])
    r = api("GET", "/v1/eim/configuration.der")
    same((r.status, r.headers["Content-Type"]), (200, "application/octet-stream"))
    d = server.eimctl("decode", "--type", "AddInitialEimRequest", "--json", input=r.body)
    same(d.status, 0, d)
    one, = d.json()["eimConfigurationDataList"]
    same((one["counterValue"], one["associationToken"], one["eimId"], one["eimFqdn"], one["eimIdType"]),
         (0, -1, c["eim_id"], c["fqdn"], c["eim_id_type"]))
    same((c["counter"], c["association_token"]), (0, -1))
    check(b64(c["public_key"]) in r.body or b64(c["public_key"])[2:] in r.body, "the same key")
    pem = open(server.ca).read()
    same(b64(c["tls_anchor"]), ssl.PEM_cert_to_DER_cert(pem))
    private = run("openssl", "pkey", "-in", server.dir + "/keys/eim.pem", "-pubout", "-outform", "DER")
    same(b64(c["public_key"]), private.out, "the public half of the signing key")


@case
def metrics_are_prometheus_text():
    r = api("GET", "/metrics", token=None)
    check(r.headers["Content-Type"].startswith("text/plain; version=0.0.4"), r.headers["Content-Type"])
    check(r.body.endswith(b"\n") and b"\r" not in r.body, "lines end in LF")
    helped, types, samples, family = set(), {}, set(), None
    for line in r.body.decode().splitlines():
        m = re.fullmatch(r"# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)", line)
        if m and m.group(1) == "HELP":
            check(m.group(2) not in helped, "HELP twice", line)
            helped.add(m.group(2))
        elif m:
            family = m.group(2)
            check(family in helped and family not in types and m.group(3) in ("counter", "gauge"), line)
            types[family] = m.group(3)
        else:
            m = re.fullmatch(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[a-z_]+="[^"\\\n]*"(?:,[a-z_]+="[^"\\\n]*")*\})? ([0-9.eE+-]+)', line)
            check(m and m.group(1) == family, "a sample of its family", line)
            check(m.group(1, 2) not in samples, "a sample twice", line)
            check(float(m.group(3)) >= 0, line)
            samples.add(m.group(1, 2))
    check(len(types) > 15 and {s[0] for s in samples} == set(types) == helped, "each family has HELP, TYPE and samples")
    for name, kind in types.items():
        same(name.endswith("_total"), kind == "counter", name)
    a = server.metrics()
    good(api("POST", "/v1/devices", {"eid": eid(1500)}), 201)
    good(order(eid(1500), psmos=[{"getRAT": {}}]), 201)
    b = server.metrics()
    same(b["eimd_operations_created_total"], a["eimd_operations_created_total"] + 1)


@case
def metrics_need_a_token_from_addresses_that_are_not_listed():
    s = Eimd(settings={"api.metrics_from": "192.0.2.1"})
    r = s.api("GET", "/metrics", token=None)
    same((r.status, r.headers["WWW-Authenticate"]), (401, "Bearer"))
    same(s.api("GET", "/metrics").status, 200)
    same(s.api("GET", "/healthz", token=None).status, 200)
    s.stop()


# ---------------------------------------------------------------- real devices

listed = run(program("eimsim"), "enrolment", "--devices", DEVICES, "--seed", SEED, "--pki", pki)
same(listed.status, 0, listed)
EIDS = [json.loads(l)["eid"] for l in listed.text.splitlines()]
work = tmpdir()
FLEET = []


def fleet(seconds=300):
    """Start the cards, or stop and report them."""
    if FLEET:
        p = FLEET.pop()
        p.terminate()
        out, err = p.communicate(timeout=60)
        return json.loads(out)
    FLEET.append(subprocess.Popen(
        [program("eimsim"), "fleet", "--url", "https://127.0.0.1:%d" % server.device_port, "--cacert", server.ca, "--pki", pki, "--eim-config", work + "/add.der",
         "--devices", str(DEVICES), "--seed", str(SEED), "--threads", "2", "--interval", "200", "--seconds", str(seconds), "--json"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=lambda: ctypes.CDLL(None).prctl(1, signal.SIGKILL)))
    return None


def device(i):
    return good(api("GET", "/v1/devices/" + EIDS[i]))


def operation(i):
    return good(api("GET", "/v1/operations/" + i))


def ended(i):
    return wait_for(lambda: (o := operation(i))["final"] and o, "the end of " + i, 120, 0.2)


def iccids(i):
    return {p["provider"]: p["iccid"] for p in device(i)["profiles"]}


@case
def devices_show_what_is_proven_and_where_it_comes_from():
    with open(work + "/add.der", "wb") as f:
        f.write(api("GET", "/v1/eim/configuration.der").body)
    same(good(batch(listed.text, "application/jsonl"))["enrolled"], DEVICES)
    fleet()
    for i in range(DEVICES):
        wait_for(lambda: device(i)["verification"] == "ci" and len(device(i)["profiles"]) == 2 and not device(i)["inventory"]["stale"], "an inventory", 120, 0.2)
        d = device(i)
        check(isinstance(d["association"]["token"], int) and d["association"]["counter"] >= 1, d["association"])
        check(TIME.fullmatch(d["last_seen"]) and TIME.fullmatch(d["first_contact"]), d)
        states = {p["provider"]: p["state"] for p in d["profiles"]}
        same(states, {"Operator A": "enabled", "Operator B": "disabled"})
        evidence = operation(d["inventory"]["evidence"])
        same((evidence["state"], evidence["origin"], evidence["eid"]), ("done", "inventory", EIDS[i]))
        for p in d["profiles"]:
            same((p["provenance"], p["evidence"]), ("eUICC-signed", evidence["id"]))
            check(TIME.fullmatch(p["as_of"]) and re.fullmatch(r"\d{18,20}", p["iccid"]), p)
        same((d["enabled_profile"]["iccid"], d["enabled_profile"]["provenance"]), (iccids(i)["Operator A"], "eUICC-signed"))
        same(d["reported"]["provenance"], "IPA-reported")
        check(b64(d["reported"]["euicc_certificate"]) and b64(d["reported"]["ipa_euicc_data"])[:2] == b"\xbf\x52", d["reported"])


def verified(e, op):
    """The result verifies on its own, by nothing but the CI, the chain that the API shows, and the octets."""
    r = api("GET", "/v1/operations/%s/result" % op)
    same((r.status, r.headers["Content-Type"]), (200, "application/octet-stream"))
    d = good(api("GET", "/v1/devices/" + e))
    names = {}
    for name in ("eum_certificate", "euicc_certificate"):
        names[name] = work + "/" + name
        with open(names[name], "wb") as f:
            f.write(b64(d["reported"][name]))
    args = ("verify-result", "--ci", pki + "/ci.pem", "--eum", names["eum_certificate"], "--euicc", names["euicc_certificate"], "--token", d["association"]["token"], "-")
    done = server.eimctl(*args[:-1], "--eid", e, "-", input=r.body)
    same(done.status, 0, done)
    broken = bytearray(r.body)
    broken[-1] ^= 1
    same(server.eimctl(*args[:-1], "--eid", e, "-", input=bytes(broken)).status, 1, "one bit changes it all")
    same(server.eimctl(*args[:-1], "--eid", NOBODY, "-", input=r.body).status, 1, "another EID")
    return r.body


@case
def an_operation_lives_from_order_to_verified_result():
    b = iccids(0)["Operator B"]
    before = len(audit())
    made = good(order(EIDS[0], psmos=[{"enable": {"iccid": b, "rollback": True}}]), 201)
    o = ended(made["id"])
    same((o["state"], o["code"], o["deliveries"] >= 1, o["kind"], o["origin"]), ("done", 0, True, "package", "api"), o)
    same(o["steps"], [{"op": "enable", "iccid": b, "rollback": True, "outcome": "ok", "code": 0}])
    for t in ("created_at", "first_sent_at", "last_sent_at", "result_at"):
        check(TIME.fullmatch(o[t]), t, o)
    check(o["created_at"] <= o["first_sent_at"] <= o["last_sent_at"] <= o["result_at"], o)
    check(re.fullmatch(r"[0-9A-F]{2,32}", o["transaction_id"]) and o["counter"] >= 1 and o["sequence"] >= 1, o)
    package = api("GET", "/v1/operations/%s/package" % o["id"])
    same((package.status, package.headers["Content-Type"], len(package.body)), (200, "application/octet-stream", o["package"]["bytes"]))
    shown = server.eimctl("decode", "--json", input=package.body)
    same(shown.status, 0, shown)
    check(package.body[:2] == b"\xbf\x51" and '"counterValue": %d' % o["counter"] in json.dumps(shown.json()) and EIDS[0] in shown.text, shown)
    result = verified(EIDS[0], o["id"])
    same(len(result), o["result"]["bytes"])
    shown = server.eimctl("decode", "--json", input=result)
    same(shown.status, 0, shown)
    check('"enableResult": 0' in json.dumps(shown.json()), shown)
    mine = [a for a in audit()[before:] if a.get("operation") == o["id"]]
    same([(a["action"], a["principal"], a["state"]) for a in mine],
         [("operation.created", "token:admin", "pending"), ("operation.sent", "eim", "sent"), ("operation.done", "device", "done")], mine)
    same(mine[1]["counter"], o["counter"])
    digests = {hashlib.sha256(x).hexdigest() for x in (package.body, result)}
    check({a["sha256"] for a in mine if "sha256" in a} <= digests and any("sha256" in a for a in mine), mine)
    listed_one = next(x for x in good(api("GET", "/v1/devices/%s/operations" % EIDS[0]))["items"] if x["id"] == o["id"])
    check("outcome" not in listed_one["steps"][0] and listed_one["package"] is None and listed_one["result"] is None, "lists are short", listed_one)
    wait_for(lambda: (d := device(0))["enabled_profile"]["iccid"] == b, "the new profile")


@case
def a_failed_step_is_told_and_the_rest_was_not_executed():
    o = ended(good(order(EIDS[1], psmos=[{"enable": {"iccid": "8949999999999999998"}}, {"getRAT": {}}]), 201)["id"])
    same((o["state"], o["final"]), ("failed", True))
    check(o["code"] != 0 and o["reason"], o)
    same(o["steps"][0]["code"], o["code"])
    same((o["steps"][0]["outcome"], o["steps"][1]["outcome"]), ("iccidOrAidNotFound", "not_executed"))
    verified(EIDS[1], o["id"])
    o = ended(good(api("POST", "/v1/devices/%s/inventory" % EIDS[1]), 201)["id"])
    same((o["state"], o["origin"], [s["op"] for s in o["steps"]]), ("done", "api", ["listProfileInfo"]))
    same(device(1)["inventory"], {"as_of": device(1)["inventory"]["as_of"], "stale": False, "evidence": device(1)["inventory"]["evidence"]})


@case
def the_rules_authorisation_table_is_shown_as_the_card_signed_it():
    same(device(1)["rules_authorisation_table"], None)
    o = ended(good(order(EIDS[1], psmos=[{"getRAT": {}}]), 201)["id"])
    same(o["state"], "done")
    table = device(1)["rules_authorisation_table"]
    same((table["provenance"], table["evidence"]), ("eUICC-signed", o["id"]))
    same(table["rules"], [{"policy_rules": ["ppr1", "ppr2"], "operators": ["*"], "consent_required": True}])


@case
def no_device_is_stranded_without_an_override_by_name():
    wait_for(lambda: not device(1)["inventory"]["stale"], "a fresh inventory")
    a, b = iccids(1)["Operator A"], iccids(1)["Operator B"]
    on = device(1)["enabled_profile"]["iccid"]
    same(on, a)
    problem(order(EIDS[1], psmos=[{"disable": {"iccid": a}}]), "E_RULE", "override", "no_enabled_profile")
    problem(order(EIDS[1], psmos=[{"disable": {"iccid": a}}], override=["last_way_to_eim"]), "E_RULE", "override", "no_enabled_profile")
    problem(order(EIDS[1], psmos=[{"disable": {"iccid": a}}, {"delete": {"iccid": a}}, {"delete": {"iccid": b}}], override=["no_enabled_profile"]),
            "E_RULE", "override", "last_way_to_eim")
    problem(order(EIDS[1], psmos=[{"enable": {"iccid": b}}, {"disable": {"iccid": b}}]), "E_RULE", "override", "no_enabled_profile")
    done = ended(good(order(EIDS[1], psmos=[{"disable": {"iccid": a}}, {"enable": {"iccid": b}}]), 201)["id"])
    same(done["state"], "done", "a disable that strands nobody is free", done)
    wait_for(lambda: device(1)["enabled_profile"]["iccid"] == b and not device(1)["inventory"]["stale"], "the switch and its inventory", 120)
    fleet()                             # the cards sleep, so that the order can be taken back
    o = good(order(EIDS[1], psmos=[{"disable": {"iccid": b}}], override=["no_enabled_profile"]), 201)
    same(o["override"], ["no_enabled_profile"])
    good(api("POST", "/v1/operations/%s/cancel" % o["id"]))


@case
def what_was_fetched_cannot_be_cancelled_nor_its_device_deleted():
    o = good(api("POST", "/v1/devices/%s/inventory" % EIDS[2]), 201)
    body = get_eim_package(EIDS[2])
    wait_for(lambda: server.esipa(body).status == 200 and operation(o["id"])["state"] == "sent", "a foreign IPA fetches it", 30)
    same(device(2)["queue"]["in_flight"], o["id"])
    problem(api("POST", "/v1/operations/%s/cancel" % o["id"]), "E_STATE", None, "sent")
    problem(api("DELETE", "/v1/devices/" + EIDS[2]), "E_STATE", None, "in flight")
    p = good(api("POST", "/v1/devices/%s/inventory" % EIDS[2]), 201)
    same(device(2)["queue"]["next"], p["id"])
    good(api("POST", "/v1/operations/%s/cancel" % p["id"]))


@case
def a_download_never_shows_its_activation_code():
    e = eid(1012)
    for code in (CODE, "LPA:" + CODE):
        o = good(order(e, download={"activation_code": code}), 201)
        same((o["kind"], o["steps"]), ("download", [{"op": "download", "smdp": "smdp.example.com"}]))
    same(good(order(e, download={"default_smdp": True}), 201)["steps"], [{"op": "download", "default_smdp": True}])
    same(good(order(e, download={"smds": "ds.example.com"}), 201)["steps"], [{"op": "download", "smds": "ds.example.com"}])
    short = SHORT.encode()              # as short as what a parser likes to quote in its complaint
    for body in (b'{"download":{"activation_code" "%s"}}' % short, b'{"download":{"activation_code":"%s' % short,
                 b'{"download":{"activation_code":"%s" "x":1}}' % short, b'{"download":{"activation_code":"x" "%s"}}' % short):
        problem(api("POST", "/v1/devices/%s/operations" % e, body), "E_MALFORMED", None, "line 1, column ")
    problem(order(e, download={"activation_code": SHORT[2:]}), "E_INVALID", "download.activation_code")
    list(pages("/v1/operations", 500)), list(pages("/v1/devices/%s/operations" % e, 500)), audit()
    good(api("GET", "/v1/devices/" + e))


@case
def the_trigger_of_a_download_reaches_the_device_and_nobody_else():
    o = good(order(EIDS[0], download={"activation_code": CODE}), 201)
    other = good(order(EIDS[1], download={"activation_code": CODE}), 201)
    answers = []

    def fetched():
        answers.append(server.esipa(get_eim_package(EIDS[0])).body)
        return operation(o["id"])["state"] == "sent"

    wait_for(fetched, "a foreign IPA fetches it", 30)
    check(any(CODE.encode() in a for a in answers), "the device does get the code")
    problem(api("GET", "/v1/operations/%s/package" % o["id"]), "E_NOT_FOUND", None, "no signed package")
    same(operation(o["id"])["package"], None)
    fleet()
    end = ended(other["id"])            # whatever a simulated card makes of it
    fleet()
    check(end["state"] in ("done", "failed") and re.search(r"\((eUICC-signed|IPA-reported)\)$", end["reason"]), "its reason says how sure it is", end)
    same(end["steps"], [{"op": "download", "smdp": "smdp.example.com", "outcome": "ok" if end["state"] == "done" else "failed"}])
    same((end["kind"], end["package"]), ("download", None))
    same(api("GET", "/v1/operations/%s/result" % end["id"]).status, 200)
    for e in EIDS:
        good(api("GET", "/v1/devices/" + e))
    same([a["action"] for a in audit() if a.get("operation") == end["id"]], ["operation.created", "operation.sent", "operation." + end["state"]])
    secret = CODE.split("$")[2]
    for words in (b"HIDDEN99", secret.encode(), base64.b64encode(secret.encode())[:20], secret.encode().hex().encode()):
        check(not any(words in a for a in EVERY_ANSWER), "the API never shows it", words, next((a[:300] for a in EVERY_ANSWER if words in a), ""))
        check(words.decode() not in server.log(), "nor does the log")


# ---------------------------------------------------------------- our own troubles

@case
def troubles_of_our_own_tell_a_stranger_nothing():
    url = postgres().fresh()
    s = Eimd(store=url)
    same(s.api("POST", "/v1/devices", {"eid": eid(1)}).status, 201)
    postgres().stop()
    for method, path in (("GET", "/v1/devices"), ("GET", "/readyz"), ("POST", "/v1/devices")):
        r = s.api(method, path, {"eid": eid(2)} if method == "POST" else None)
        same((r.status, r.headers["Content-Type"]), (503, "application/problem+json"), path, r)
        check(int(r.headers["Retry-After"]) > 0, r.headers)
        p = r.json()
        same(p["detail"], p["title"], "only the title")
        for word in ("postgres", "socket", "libpq", "/tmp", "connection", "SQL"):
            check(word.lower() not in r.body.decode().lower(), word, r)
    same(s.api("GET", "/healthz").status, 200, "it lives")
    check(re.search(r"status=503.*why=", s.log()), "the reason stands in the log")
    s.stop()


main()
