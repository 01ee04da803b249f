"""Devices given to another eIM by eimctl, step by step, on simulated cards over TLS."""
from lib import *

N = 3
fleet = Fleet(N, seed=61)
server = Eimd(trust=fleet.root)
STATE = {}
OTHER = "other.example.net"


def handover(*more, where="labels.batch == 'x'"):
    done = server.eimctl("handover", "run", "--where", where, "--to", STATE["to"], "--json", *more)
    same(done.status, 0, done)
    report = json.loads(done.out)
    return {k: v for k, v in report.items() if v}


@case
def a_fleet_is_listed_added_and_waits_for_proof():
    mine = STATE["eids"] = fleet.enrol(server)
    fleet.run(server)
    key = run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout").out
    spki = run("openssl", "ec", "-pubout", "-outform", "DER", input=key).out
    STATE["to"] = os.path.join(tmpdir(), "other.json")
    with open(STATE["to"], "w") as f:
        json.dump({"eim_id": OTHER, "eim_id_type": 2, "fqdn": "eim.other.example.net", "public_key": base64.b64encode(spki).decode()}, f)
    where = "eid in ['%s', '%s']" % (mine[0], mine[1])
    STATE["where"] = where
    same(handover("--dry-run", where=where), {"selected": 2, "listing": 2})
    for step in ("listing", "adding", "unproven"):
        same(handover(where=where), {"selected": 2, step: 2})
        if step != "unproven":
            same(handover(where=where), {"selected": 2, "waiting": 2}, "ordered once")
        fleet.run(server)
    eims = server.get("/v1/devices/" + mine[0])["eims"]
    entry = [i for i in eims["items"] if i["eim_id"] == OTHER]
    check(len(eims["items"]) == 2 and entry and eims["as_of"], eims)
    check(entry[0]["association_token"] >= 1 and entry[0]["provenance"] == "eUICC-signed" and entry[0]["control_shown_at"] is None, entry)
    same(server.get("/v1/devices/" + mine[2])["eims"], {"as_of": None, "evidence": None, "items": []})
    shown = server.eimctl("device", "show", mine[0])
    check(OTHER.encode() in shown.out and b"list of eIMs" in shown.out, shown)


@case
def a_word_or_a_proof_is_needed_and_only_then_we_leave():
    mine = STATE["eids"]
    path = os.path.join(tmpdir(), "result")
    newest = server.get("/v1/devices/" + mine[0])["eims"]["evidence"]
    same(server.eimctl("operation", "result", newest).status, 0)
    with open(path, "wb") as f:
        f.write(server.eimctl("operation", "result", newest).out)
    done = server.eimctl("handover", "proof", mine[0], OTHER, path)
    check(done.status == 1 and b"signed for another eIM" in done.err, done)
    same(server.eimctl("handover", "confirm", mine[0], "nobody.example", "--reason", "x").status, 1)
    done = server.eimctl("handover", "confirm", mine[0], OTHER, "--reason", "seen in its console")
    same(done.status, 0, done)
    same(handover(where=STATE["where"]), {"selected": 2, "leaving": 1, "unproven": 1})
    fleet.run(server)
    same(handover(where=STATE["where"]), {"selected": 2, "gone": 1, "unproven": 1})
    same([i["eim_id"] for i in server.get("/v1/devices/" + mine[0])["eims"]["items"]], [OTHER])
    told = [a for a in server.get("/v1/audit?limit=500")["items"] if a["action"] == "device.control_confirmed"]
    check(len(told) == 1 and "seen in its console" in json.dumps(told), told)


@case
def what_is_wrong_is_refused_by_name():
    good = json.load(open(STATE["to"]))
    for bad, field in (({"where": "true"}, "to"), ({"to": good}, "where"), ({"where": "true", "to": []}, "to"), ({"where": "nope", "to": good}, "where"),
                       ({"where": "true", "to": {"fqdn": "x"}}, "to.eim_id"), ({"where": "true", "to": good, "dry_run": 1}, "dry_run"),
                       ({"where": "true", "to": good, "x": 1}, "x")):
        r = server.api("POST", "/v1/handover", bad)
        same((r.status, r.json().get("field")), (400, field), bad, r)
    for bad in ({}, {"eim_id": OTHER}, {"eim_id": OTHER, "result": "!"}, {"eim_id": OTHER, "result": "AAAA"}, {"eim_id": OTHER, "reason": "x" * 201},
                {"eim_id": OTHER, "result": "AAAA", "reason": "x"}, {"eim_id": OTHER, "reason": "x", "association_token": -1}, {"eim_id": OTHER, "reason": "x", "y": 1}):
        r = server.api("POST", "/v1/devices/%s/control" % STATE["eids"][1], bad)
        same(r.status, 400, bad, r)
    same(server.api("POST", "/v1/devices/%s/control" % eid(999), {"eim_id": OTHER, "reason": "x"}).status, 404)


main()
