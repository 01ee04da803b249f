"""The evidence bundle and its offline verifier: a fleet's inventories are proven with nothing but a file and a CI root; forgeries are found."""
from lib import *

VERIFY = program("eimverify")
N = 12
fleet, strangers = Fleet(N, seed=41), Fleet(3, seed=77)
server = Eimd(trust=fleet.root)
STATE = {}


def verify(path, *args, ci=None):
    return run(VERIFY, "--ci", ci or fleet.root, *args, path)


def export():
    path = os.path.join(tmpdir(), "bundle")
    done = server.eimctl("evidence", "export", path)
    same(done.status, 0, done)
    with open(path, "rb") as f:
        return path, f.read()


def judged(path, *args, **more):
    """{eid: line} and the summary."""
    lines = [json.loads(l) for l in verify(path, "--json", "--all", *args, **more).out.splitlines()]
    return {l["eid"]: l for l in lines[:-1]}, lines[-1]


def broken(content, *args):
    path = os.path.join(tmpdir(), "forged")
    with open(path, "wb") as f:
        f.write(content)
    done = verify(path, *args)
    same((done.status, done.out), (3, b""), done)
    return done.err.decode()


def change(line_, **members):
    o = json.loads(line_)
    for k, v in members.items():
        o[k] = v(o[k]) if callable(v) else v
    return json.dumps(o, separators=(",", ":")).encode() + b"\n"


def flip(b64, at=-1):
    raw = bytearray(base64.b64decode(b64))
    raw[at] ^= 1
    return base64.b64encode(bytes(raw)).decode()


@case
def every_device_of_a_fleet_is_proven_by_a_file_and_a_root():
    STATE["eids"] = fleet.enrol(server)
    fleet.run(server)
    STATE["path"], STATE["bundle"] = export()
    STATE["key"] = server.get("/v1/audit/key")["key"]
    done = verify(STATE["path"], "--log-key", STATE["key"])
    same(done.status, 0, done)
    check(re.search(rb"^ +12  proven +Operator A$", done.out, re.M), done)
    devices, total = judged(STATE["path"])
    same((total["devices"], total["proven"], total["weaker"], total["not_shown"], total["log_key_given"]), (N, N, 0, 0, False))
    same(sorted(devices), sorted(STATE["eids"]))
    for i, e in enumerate(STATE["eids"]):
        same(devices[e]["enabled"], fleet.iccids(i)["Operator A"], e)


@case
def a_switch_shows_in_the_next_bundle():
    for i in range(4):
        server.post("/v1/devices/%s/operations" % STATE["eids"][i], {"psmos": [{"enable": {"iccid": fleet.iccids(i)["Operator B"], "rollback": True}}]})
    fleet.run(server)
    path, _ = export()
    done = verify(path)
    same(done.status, 0, done)
    check(re.search(rb"^ +4  proven +Operator B$", done.out, re.M) and re.search(rb"^ +8  proven +Operator A$", done.out, re.M), done)


@case
def without_the_right_root_nothing_is_proven():
    devices, total = judged(STATE["path"], ci=strangers.root)
    same((total["proven"], total["not_shown"]), (0, N))
    check(all("CI" in d["why"] or "issued" in d["why"] for d in devices.values()), devices)
    same(verify(STATE["path"], ci=strangers.root).status, 1)
    same(run(VERIFY, STATE["path"]).status, 1)
    same(run(VERIFY).status, 2)
    same(run(VERIFY, "--ci", "/nonexistent", STATE["path"]).status, 2)


@case
def pinned_keys_and_silent_devices_are_weaker_or_not_shown():
    other = Eimd(trust=fleet.root)
    pinned = Fleet(2, seed=5, directory=strangers.dir)
    r = other.api("POST", "/v1/devices", pinned.lines(pin=True), headers={"Content-Type": "application/jsonl"})
    same(r.json()["enrolled"], 2, r)
    pinned.run(other)
    other.api("POST", "/v1/devices", {"eid": eid(4711)})
    path = os.path.join(tmpdir(), "bundle")
    same(other.eimctl("evidence", "export", path).status, 0)
    lines = [json.loads(l) for l in verify(path, "--json", "--all").out.splitlines()]
    same(sorted(l["verdict"] for l in lines[:-1]), ["not shown", "weaker", "weaker"])
    check(all("no attested inventory" in l["why"] for l in lines[:-1] if l["verdict"] == "not shown"), lines)


@case
def a_forged_device_is_not_shown_and_the_others_stay_proven():
    lines = STATE["bundle"].splitlines(True)
    at = [i for i, l in enumerate(lines) if l.startswith(b'{"eid"')]
    # another device's answer, an altered answer, an altered question, a certificate that is not its own
    a, b = json.loads(lines[at[0]]), json.loads(lines[at[1]])
    for inventory, certificate in ((b["inventory"], a["euicc_certificate"]), (dict(a["inventory"], result=flip(a["inventory"]["result"], 20)), a["euicc_certificate"]),
                                   (dict(a["inventory"], result=flip(a["inventory"]["result"])), a["euicc_certificate"]),
                                   (dict(a["inventory"], package=flip(a["inventory"]["package"], 12)), a["euicc_certificate"]),
                                   (a["inventory"], b["euicc_certificate"])):
        forged = change(lines[at[0]], inventory=inventory, euicc_certificate=certificate)
        content = lines[:at[0]] + [forged] + lines[at[0] + 1:]
        # the log's record of the true result now speaks of nothing in the file: take it out, as a forger would
        content = [l for l in content if not (l.startswith(b'{"audit"') and a["eid"].encode() in l)]
        path = os.path.join(tmpdir(), "forged")
        with open(path, "wb") as f:
            f.write(b"".join(content))
        devices, total = judged(path)
        same((devices[a["eid"]]["verdict"], total["proven"]), ("not shown", N - 1), devices[a["eid"]])


@case
def what_the_log_does_not_record_is_weaker():
    lines = STATE["bundle"].splitlines(True)
    first = next(i for i, l in enumerate(lines) if l.startswith(b'{"audit"'))
    path = os.path.join(tmpdir(), "unrecorded")
    with open(path, "wb") as f:
        f.write(b"".join(lines[:first] + lines[first + 1:]))
    devices, total = judged(path)
    same((total["proven"], total["weaker"]), (N - 1, 1))
    check(any("no record" in d.get("why", "") for d in devices.values()), devices)


@case
def a_bundle_that_contradicts_itself_proves_nothing():
    lines = STATE["bundle"].splitlines(True)
    kinds = [next(iter(json.loads(l))) for l in lines]
    audit, head, eum, last = kinds.index("audit"), kinds.index("head"), kinds.index("eum"), len(lines) - 1
    edit = lambda i, line: b"".join(lines[:i] + ([line] if line else []) + lines[i + 1:])
    check("does not lead to the tree head" in broken(edit(audit, change(lines[audit], line=lambda s: s.replace('"counter":', '"Counter":')))))
    check("does not lead to the tree head" in broken(edit(audit, change(lines[audit], audit=lambda n: n + 1))))
    check("does not lead to the tree head" in broken(edit(audit, change(lines[audit], proof=flip))))
    check("signature" in broken(edit(head, change(lines[head], head=lambda s: s.replace("\n", "\n1", 1)))))
    check("not the one its digest names" in broken(edit(eum, change(lines[eum], certificate=flip))))
    check("speaks of no result" in broken(edit(kinds.index("eid"), None)), "a device taken out")
    check("removed or added" in broken(edit(last, change(lines[last], devices=N + 1))))
    check("no end" in broken(b"".join(lines[:-1])))
    check("cut off" in broken(STATE["bundle"][:-5]))
    broken(STATE["bundle"] + lines[-1])
    broken(b"hello\n")
    check("key" in broken(STATE["bundle"], "--log-key", STATE["key"].replace("localhost", "elsewhere")))


@case
def a_device_that_should_be_there_and_is_not_is_told():
    path = os.path.join(tmpdir(), "eids")
    with open(path, "w") as f:
        f.write("\n".join(STATE["eids"] + [eid(1234)]) + "\n")
    devices, total = judged(STATE["path"], "--expect", path)
    same((total["devices"], total["proven"], total["not_shown"]), (N + 1, N, 1))
    same(devices[eid(1234)]["why"], "it is not in the bundle")
    with open(path, "w") as f:
        f.write("\n".join(STATE["eids"]) + "\n")
    same(verify(STATE["path"], "--expect", path).status, 0)


@case
def no_flipped_bit_gives_a_wrong_proof():
    """Anywhere in the file: the verdicts stay those of the truth, get weaker, or the bundle is broken. Never another enabled profile."""
    truth, _ = judged(STATE["path"])
    path = os.path.join(tmpdir(), "flipped")
    for at in range(11, len(STATE["bundle"]), max(1, len(STATE["bundle"]) // 97)):
        content = bytearray(STATE["bundle"])
        content[at] ^= 1 << at % 7
        with open(path, "wb") as f:
            f.write(content)
        done = verify(path, "--json", "--all")
        check(done.status in (0, 1, 3), done)
        for l in done.out.splitlines()[:-1]:
            d = json.loads(l)
            if d["verdict"] == "proven":
                same((d["eid"] in truth, d.get("enabled")), (True, truth.get(d["eid"], {}).get("enabled")), "octet", at)


main()
