"""The whole inventory as a signed file: written by one eIM, checked without it, taken in by another."""
import urllib.parse

from lib import *

fleet = Fleet(2, seed=62)
first, second = Eimd(trust=fleet.root), Eimd(trust=fleet.root, settings={"eim.fqdn": "second.example.net", "eim.eim_id": "second.example.net"})
STATE = {}
MANY = 1100


def exported(server, name):
    path = os.path.join(tmpdir(), name)
    done = server.eimctl("fleet", "export", path)
    same(done.status, 0, done)
    return path


def verify(path, key=None):
    return run(program("eimctl"), "fleet", "verify", "--key", key or STATE["key"], path)


@case
def an_inventory_of_several_pages_is_written_and_verified():
    real = STATE["real"] = fleet.enrol(first)
    fleet.run(first)
    lines = "eid,label.site,label.n\n" + "".join("%s,berlin,%d\n" % (eid(5000 + i), i) for i in range(MANY))
    table = os.path.join(tmpdir(), "many.csv")
    with open(table, "w") as f:
        f.write(lines)
    same(first.eimctl("device", "import", table).status, 0)
    # the second eIM is added to the first card, which draws a token for it
    spki = second.get("/v1/eim/configuration")["public_key"]
    op = first.post("/v1/devices/%s/operations" % real[0], {"ecos": [{"addEim": {"eim_id": "second.example.net", "eim_id_type": 2, "public_key": spki}}, {"listEim": {}}]})
    fleet.run(first)
    same(first.get("/v1/operations/" + op["id"])["state"], "done")
    STATE["key"] = first.get("/v1/audit/key")["key"]
    STATE["path"] = exported(first, "fleet.jsonl")
    text = open(STATE["path"]).read().splitlines()
    heads = [i for i, l in enumerate(text) if l.startswith('{"eimd_inventory"')]
    same((len(heads), len(text) - len(heads)), (3, MANY + 2))
    done = verify(STATE["path"])
    same(done.status, 0, done)
    check(("verified: %d devices on 3 pages of" % (MANY + 2)) in done.text, done)
    told = [a for a in first.get("/v1/audit?limit=500&cursor=%016x" % max(0, first.get("/v1/audit/consistency/0")["size"] - 400))["items"] if a["action"] == "inventory.exported"]
    same(len(told), 3, told)


@case
def whatever_is_changed_is_found():
    lines = open(STATE["path"]).read().splitlines()
    heads = [i for i, l in enumerate(lines) if l.startswith('{"eimd_inventory"')] + [len(lines)]
    pages = [lines[a:b] for a, b in zip(heads, heads[1:])]
    again = open(exported(first, "again.jsonl")).read().splitlines()
    other = [again[a:b] for a, b in zip(heads, heads[1:])]
    bad = {
        "a letter": pages[0][:3] + [pages[0][3].replace("berlin", "bremen")] + pages[0][4:] + pages[1] + pages[2],
        "a device left out": pages[0][:-1] + pages[1] + pages[2],
        "a device added": pages[0] + [pages[0][-1]] + pages[1] + pages[2],
        "two devices swapped": pages[0][:1] + [pages[0][2], pages[0][1]] + pages[0][3:] + pages[1] + pages[2],
        "a page left out": pages[0] + pages[2],
        "pages swapped": pages[1] + pages[0] + pages[2],
        "cut off at a page": pages[0] + pages[1],
        "the beginning left out": pages[1] + pages[2],
        "a page of another export": pages[0] + other[1] + pages[2],
        "a page twice": pages[0] + pages[0] + pages[1] + pages[2],
        "nothing": [],
        "no head": pages[0][1:],
        "a note changed": [pages[0][0].replace("devices 500", "devices 501")] + pages[0][1:] + pages[1] + pages[2],
    }
    path = os.path.join(tmpdir(), "bad.jsonl")
    for what, text in bad.items():
        with open(path, "w") as f:
            f.write("".join(l + "\n" for l in text))
        done = verify(path)
        check(done.status == 1 and done.err, what, done)
        done = second.eimctl("fleet", "import", "--key", STATE["key"], path)
        check(done.status == 1 and not os.path.exists(path + ".devices.jsonl"), "and nothing is taken in: " + what, done)
    same(second.get("/v1/devices/count")["selected"], 0)
    same(verify(STATE["path"], second.get("/v1/audit/key")["key"]).status, 1, "somebody else's key")
    same(run(program("eimctl"), "fleet", "verify", STATE["path"]).status, 2, "no key")


@case
def another_eim_takes_it_in_with_its_own_tokens():
    done = second.eimctl("fleet", "import", "--key", STATE["key"], STATE["path"])
    same(done.status, 0, done)
    check("on the cards of 1 this eIM is known to be" in done.text, done)
    same(second.get("/v1/devices/count")["selected"], MANY + 2)
    mine, theirs = [s.get("/v1/devices/" + STATE["real"][0]) for s in (second, first)]
    token = [i["association_token"] for i in theirs["eims"]["items"] if i["eim_id"] == "second.example.net"]
    same((mine["association"], mine["verification"]), ({"counter": 0, "token": token[0]}, "ci"))
    same(mine["labels"], theirs["labels"])
    same(second.get("/v1/devices/" + STATE["real"][1])["association"]["token"], None, "none was drawn for us there")
    same(second.get("/v1/devices/count?where=" + urllib.parse.quote("labels.site == 'berlin'"))["selected"], MANY)
    again = second.eimctl("fleet", "import", "--key", STATE["key"], STATE["path"])
    check(again.status == 0 and second.get("/v1/devices/count")["selected"] == MANY + 2, "nothing twice", again)


@case
def the_same_eim_at_another_place_goes_on_counting():
    moved = Eimd(trust=fleet.root)
    done = moved.eimctl("fleet", "import", "--key", STATE["key"], STATE["path"])
    same(done.status, 0, done)
    for e in STATE["real"]:
        here, there = moved.get("/v1/devices/" + e)["association"], first.get("/v1/devices/" + e)["association"]
        same(here, there)
        check(here["counter"] > 0, here)
    moved.stop()


@case
def a_page_is_asked_for_rightly_or_refused():
    for body, query, field in (({"previous": "00"}, "?cursor=0000000000000001", "previous"), ({"previous": "0" * 64}, "", "previous"), ({}, "?cursor=0000000000000001", "previous"),
                               ({"x": 1}, "", "x"), ({}, "?cursor=zz", "cursor"), ({}, "?limit=501", "limit")):
        r = first.api("POST", "/v1/inventory-export" + query, body)
        same((r.status, r.json().get("field")), (400, field), body, r)
    weak = first.post("/v1/tokens", {"name": "weak", "role": "security_officer"})["token"]
    same(first.api("POST", "/v1/inventory-export", {}, token=weak).status, 403)


main()
