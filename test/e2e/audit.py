"""The audit log as an auditor has it: exported by eimctl, verified without the server, and every forgery found."""
from lib import *

CTL = program("eimctl")
server = Eimd()
STATE = {}


def enrol(first, n):
    lines = b"".join(json.dumps({"eid": eid(i)}).encode() + b"\n" for i in range(first, first + n))
    r = server.api("POST", "/v1/devices", lines, headers={"Content-Type": "application/jsonl"})
    same((r.status, r.json()["enrolled"]), (200, n), r)


def eid(i):
    body = "8904903200000000%014d" % i
    return body + "%02d" % (98 - int(body + "00") % 97)


def verify(path, *args):
    return run(CTL, "audit", "verify", *args, path, env={"HOME": os.path.dirname(server.dir)})


def export(*args):
    path = os.path.join(tmpdir(), "log")
    done = server.eimctl("audit", "export", *args, path)
    same(done.status, 0, done)
    with open(path, "rb") as f:
        return path, f.read()


def forged(content, *args):
    path = os.path.join(tmpdir(), "forged")
    with open(path, "wb") as f:
        f.write(content)
    done = verify(path, *args)
    same(done.status, 1, done)
    check(done.err.startswith(b"eimctl: "), done)
    return done.err.decode()


@case
def an_export_is_verified_without_a_server():
    enrol(0, 300)
    path, STATE["whole"] = export()
    STATE["key"] = server.get("/v1/audit/key")["key"]
    done = verify(path, "--key", STATE["key"])
    same(done.status, 0, done)
    check(b"verified: lines 0 to 300 of " in done.out, done)
    same(len(STATE["whole"].splitlines()), 302)
    j = json.loads(verify(path, "--json").out)
    same((j["verified"], j["size"], j["key_given"]), (True, 300, False))
    items = server.get("/v1/audit?limit=500")["items"]
    same([json.loads(l) for l in STATE["whole"].splitlines()[1:-1]], items)


@case
def a_changed_removed_added_or_moved_line_is_found():
    lines = STATE["whole"].splitlines(True)
    for i in (1, 2, 150, 256, 257, 300):
        check("not those that were signed" in forged(b"".join(lines[:i] + [lines[i].replace(b'"tenant":1', b'"tenant":2')] + lines[i + 1:])), "changed", i)
        check("export ends at 299" in forged(b"".join(lines[:i] + lines[i + 1:])), "removed", i)
        check("export ends at 301" in forged(b"".join(lines[:i] + [lines[i]] + lines[i:])), "added", i)
    check("not those that were signed" in forged(b"".join(lines[:5] + [lines[6], lines[5]] + lines[7:])), "moved")
    for at in range(len(lines[0]) + 3, len(STATE["whole"]) - 3, 7919):                  # a bit anywhere in it
        flipped = bytearray(STATE["whole"])
        flipped[at] ^= 1
        forged(bytes(flipped))


@case
def a_cut_file_and_another_key_are_found():
    lines = STATE["whole"].splitlines(True)
    check("cut off" in forged(b"".join(lines[:-1])))
    check("cut off" in forged(STATE["whole"][:-1]))
    check("no export" in forged(b""))
    other = STATE["key"].replace("localhost", "elsewhere")
    forged(STATE["whole"], "--key", other)


@case
def a_later_export_continues_the_head_that_was_kept():
    head = server.eimctl("audit", "head")
    same(head.status, 0, head)
    kept = os.path.join(tmpdir(), "head")
    with open(kept, "wb") as f:
        f.write(head.out)
    enrol(300, 260)
    path, whole = export()
    done = verify(path, "--since", kept)
    same(done.status, 0, done)
    check(b"continues the earlier tree head of 300 lines" in done.out, done)
    part, content = export("--from", "300")
    same(len(content.splitlines()), 262)
    same(verify(part, "--since", kept).status, 0)
    check(b"--since" in verify(part).err, "an export from the middle proves nothing by itself")
    same(verify(os.path.join(os.path.dirname(path), "log"), "--since", kept).status, 0)
    # an export of a log that was rewritten before that head
    lines = whole.splitlines(True)
    check("not those" in forged(b"".join(lines[:10] + [lines[11], lines[10]] + lines[12:]), "--since", kept))
    old = os.path.join(tmpdir(), "old")
    with open(old, "wb") as f:
        f.write(STATE["whole"])
    newer = os.path.join(tmpdir(), "newer")
    with open(newer, "wb") as f:
        f.write(server.eimctl("audit", "head").out)
    check(b"older than the tree head" in verify(old, "--since", newer).err)


@case
def csv_and_cef_hold_the_same_entries():
    _, text = export("--format", "csv")
    rows = text.decode().split("\r\n")
    same(rows[0], "id,at,tenant,principal,action,eid,operation,counter,state,sha256,detail")
    same(len([r for r in rows[1:] if r]), 560)
    check('"device.enrolled"' in rows[1], rows[1])
    _, text = export("--format", "cef")
    rows = text.decode().splitlines()
    same(len(rows), 560)
    check(rows[0].startswith("CEF:0|eimd|eimd|1|device.enrolled|device.enrolled|3|externalId=aud_"), rows[0])
    same(server.eimctl("audit", "export", "--format", "xml", os.path.join(tmpdir(), "x")).status, 2)


@case
def the_log_goes_on_after_kill9_and_a_restart():
    enrol(560, 3)
    server.kill9()
    server.start()
    path, whole = export()
    same(len(whole.splitlines()), 565)
    same(verify(path, "--key", STATE["key"]).status, 0)


main()
