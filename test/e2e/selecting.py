"""Devices selected by an expression: over the API, page by page, counted, and by eimctl."""
import urllib.parse

from lib import *

N = 6
fleet = Fleet(N, seed=52)
server = Eimd(trust=fleet.root)
STATE = {}


def where(expression, path="/v1/devices", **more):
    return server.api("GET", "%s?%s" % (path, urllib.parse.urlencode(dict(more, where=expression), quote_via=urllib.parse.quote)))


def eids(expression, limit=100):
    """All pages of a selection; none is larger than asked for."""
    found, cursor = [], {}
    while True:
        page = where(expression, limit=limit, **cursor)
        same(page.status, 200, page)
        page = page.json()
        check(len(page["items"]) <= limit)
        found += [d["eid"] for d in page["items"]]
        if page["next"] is None:
            same(len(set(found)), len(found), "each once")
            return sorted(found)
        cursor = {"cursor": page["next"]}


def count(expression):
    return tuple(where(expression, "/v1/devices/count").json()[k] for k in ("selected", "others", "undecided"))


@case
def facts_of_real_devices_select_them():
    mine = STATE["eids"] = fleet.enrol(server)
    fleet.run(server)
    server.post("/v1/devices/%s/operations" % mine[0], {"psmos": [{"enable": {"iccid": fleet.iccids(0)["Operator B"], "rollback": True}}]})
    same(eids("queue.pending"), [mine[0]])
    fleet.run(server)
    same(eids("profile.enabled.operator == 'Operator B'"), [mine[0]])
    same(eids("profile.enabled.operator == 'Operator A'"), sorted(mine[1:]))
    same(eids("profile.enabled.iccid == '%s'" % fleet.iccids(1)["Operator A"]), [mine[1]])
    same(eids("verification == 'ci' && !inventory.stale && counter > 0 && inventory.as_of > now - duration('1h')"), sorted(mine))
    same(eids("eid in ['%s', '%s', 'x']" % (mine[2], mine[3])), sorted(mine[2:4]))


@case
def labels_times_and_what_is_not_known():
    lines = b"".join(json.dumps({"eid": eid(i), "labels": {"town": "berlin" if i % 3 else "paris", **({"rack": str(i)} if i % 2 else {})}}).encode() + b"\n"
                     for i in range(100, 130))
    same(server.api("POST", "/v1/devices", lines, headers={"Content-Type": "application/jsonl"}).json()["enrolled"], 30)
    berlin = sorted(eid(i) for i in range(100, 130) if i % 3)
    same(eids("labels.town == 'berlin'"), berlin)
    same(eids("labels.town == 'berlin'", limit=7), berlin)
    same(count("labels.town == 'berlin'"), (20, 10, N))                     # the fleet's own devices have no such label
    same(count("has(labels.town) && labels.town == 'berlin'"), (20, 10 + N, 0))
    same(count("labels.rack.matches('^1[01]\\\\d$')"), (10, 5, 15 + N))
    same(count("last_seen > now - duration('1h')"), (N, 0, 30))
    same(count("enrolled_at <= now"), (30 + N, 0, 0))
    same(server.get("/v1/devices/count"), {"selected": 30 + N, "others": 0, "undecided": 0})
    same(eids("false"), [])


@case
def wrong_expressions_are_400_with_their_place():
    for expression, words in (("labels.town =", "1:13"), ("nope == 1", "nothing is known by the name 'nope'"), ("1 + 1", "the result is int, and must be bool"),
                              ("counter == 'x'", "cannot be applied"), ("", "1:1"), ("(" * 50, "nested"),
                              ("true" + " || true" * 600, "too large")):
        for path in ("/v1/devices", "/v1/devices/count"):
            r = where(expression, path)
            same((r.status, r.json().get("field")), (400, "where"), r)
            check(words in r.json()["detail"], words, r)
    same(server.api("GET", "/v1/operations?where=true").status, 400)


@case
def a_key_compromise_is_answered_in_three_commands():
    eum = server.get("/v1/devices/" + STATE["eids"][0])["euicc"]["eum"]
    chosen = "euicc.eum == %s && euicc.firmware == '%s'" % (json.dumps(eum), server.get("/v1/devices/" + STATE["eids"][0])["euicc"]["firmware"])
    done = server.eimctl("quarantine", "set", "--where", chosen, "--reason", "keys of this EUM leaked", "--dry-run")
    check(done.status == 0 and b"%d devices selected, 0 put" % N in done.out, done)
    done = server.eimctl("quarantine", "set", "--where", chosen, "--reason", "keys of this EUM leaked")
    check(b"%d devices selected, %d put" % (N, N) in done.out, done)
    same(count("quarantined"), (N, 30, 0))
    server.post("/v1/devices/%s/operations" % STATE["eids"][1], {"psmos": [{"enable": {"iccid": fleet.iccids(1)["Operator B"], "rollback": True}}]})
    fleet.run(server)
    view = server.get("/v1/devices/" + STATE["eids"][1])
    same((view["enabled_profile"]["iccid"], view["quarantine"]["reason"], view["inventory"]["stale"]),
         (fleet.iccids(1)["Operator A"], "keys of this EUM leaked", False))
    same(count("quarantined && inventory.as_of > now - duration('10m') && !inventory.stale"), (N, 30, 0))
    bundle = os.path.join(tmpdir(), "bundle")
    same(server.eimctl("evidence", "export", bundle).status, 0)
    summary = json.loads(run(program("eimverify"), "--ci", fleet.root, "--json", bundle).out.splitlines()[-1])
    same(summary["proven"], N, summary)
    done = server.eimctl("quarantine", "lift", "--where", chosen, "--reason", "new certificates are on the cards", "--json")
    same(json.loads(done.out), {"selected": N, "changed": N})
    fleet.run(server)
    same(server.get("/v1/devices/" + STATE["eids"][1])["enabled_profile"]["iccid"], fleet.iccids(1)["Operator B"])
    actions = [a["action"] for a in server.get("/v1/audit?limit=500")["items"]]
    same((actions.count("device.quarantined"), actions.count("device.released")), (N, N))
    for bad in ({"where": "true"}, {"reason": "x"}, {"where": "true", "reason": "x", "lift": 1}, {"where": "true", "reason": "x" * 300}, {"where": "nope", "reason": "x"},
                {"where": "true", "reason": "x", "more": 1}):
        same(server.api("POST", "/v1/quarantine", bad).status, 400, bad)


@case
def eimctl_selects_and_counts():
    done = server.eimctl("device", "list", "--where", "labels.town == 'paris'", "--all", "--json")
    same(len(done.out.splitlines()), 10, done)
    done = server.eimctl("device", "count", "--where", "labels.town == 'paris'")
    check(done.status == 0 and b"10" in done.out, done)
    done = server.eimctl("device", "list", "--where", "labels.town == ")
    same(done.status, 1, done)
    check(b"1:16: a value is expected" in done.err, done)


main()
