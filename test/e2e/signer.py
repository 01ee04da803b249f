"""The signer as a process of its own: whole orders through it, kills of either process, and a network process that has been taken over.

The taken-over process is this program: it holds the other end of eimsigner's socket and says what it likes."""
import hashlib
import pwd
import socket as sockets
import struct

from lib import *

ON = {"signer.process": "yes"}
KEYS, SIGN, NOTE, REFUSED, ANSWER = 1, 2, 3, 0x7F, 0x80
VERSION = b"\0\3"
SIGNER = program("eimsigner")


def children(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
        return [int(p) for p in f.read().split()]


def signer_of(s):
    found = [p for p in children(s.pid) if open("/proc/%d/comm" % p).read().strip() == "eimsigner"]
    same(len(found), 1, "one signer", s.log())
    return found[0]


def status_of(pid):
    with open("/proc/%d/status" % pid) as f:
        return {k: v.strip() for k, v in (l.split(":", 1) for l in f)}


def gone(pid):
    return not os.path.exists("/proc/%d" % pid)


def journal(s):
    folder = s.dir + "/signer"
    return b"".join(open(folder + "/" + n, "rb").read() for n in sorted(os.listdir(folder)))


def signed_counters(s):
    """{EID: [counters in the order in which they were signed]}"""
    out = {}
    for line in journal(s).decode().splitlines():
        if line.startswith("s "):
            words = line.split()
            out.setdefault(words[3], []).append(int(words[4]))
    return out


def switch_all(s, fleet, eids):
    return [s.post("/v1/devices/%s/operations" % e, {"psmos": [{"enable": {"iccid": fleet.iccids(i)["Operator B"], "rollback": True}}]})["id"]
            for i, e in enumerate(eids)]


# ---------------------------------------------------------------- whole orders

def whole_orders(store):
    fleet = Fleet(6, seed=4711)
    s = Eimd(settings=ON, trust=fleet.root, store=store)
    check("seccomp is on" in s.log(), s.log())
    print("# " + next(l for l in s.log().splitlines() if "seccomp is on" in l), flush=True)
    eids = fleet.enrol(s)
    orders = switch_all(s, fleet, eids)
    fleet.run(s, seconds=90)
    same([s.get("/v1/operations/%s" % o)["state"] for o in orders], ["done"] * 6)
    signed = signed_counters(s)
    same(sorted(signed), sorted(eids))
    for e in eids:
        same(signed[e], sorted(set(signed[e])), "each counter once, rising")
        same(max(signed[e]), s.get("/v1/devices/" + e)["association"]["counter"])
    pid = signer_of(s)
    s.stop()
    wait_for(lambda: gone(pid), "the end of the signer")
    check("the signer's process" not in s.log(), "an end in order is no failure", s.log())


@case
def orders_are_signed_by_the_other_process():
    whole_orders(None)


@case
def orders_are_signed_by_the_other_process_on_postgresql():
    whole_orders(postgres().fresh())


@case
def without_the_setting_there_is_no_other_process_and_no_journal():
    s = Eimd()
    same(children(s.pid), [])
    check(not os.path.exists(s.dir + "/signer"), "no journal")
    s.stop()


# ---------------------------------------------------------------- deaths

@case
def when_the_signer_dies_eimd_ends_and_says_so():
    s = Eimd(settings=ON)
    os.kill(signer_of(s), signal.SIGKILL)
    same(s.process.wait(STOP_SECONDS), 1)
    s.process = None
    check("the signer's process was ended by signal 9: eimd ends, too" in s.log(), s.log())
    s.start()
    same(s.get("/readyz")["status"], "ready")
    s.stop()


@case
def kills_of_either_process_lose_no_order_and_repeat_no_counter():
    fleet = Fleet(8, seed=815)
    s = Eimd(settings=ON, trust=fleet.root)
    eids = fleet.enrol(s)
    orders = switch_all(s, fleet, eids)
    fleet.start(s)
    for i in range(8):
        before = len(journal(s))
        wait_for(lambda: len(journal(s)) > before or fleet.process.poll() is not None, "another signature")
        if i % 2:
            s.kill9()
        else:
            os.kill(signer_of(s), signal.SIGKILL)
            s.process.wait(STOP_SECONDS)
            s.process = None
        s.start()
    fleet.finish()
    ends = [s.get("/v1/operations/%s" % o)["state"] for o in orders]
    check(set(ends) <= {"done", "rolled_back"}, ends)      # a card that found nobody after its switch goes back, and signs so
    for e, counters in signed_counters(s).items():
        same(counters, sorted(set(counters)), e, "each counter once, rising")
        check(max(counters) >= s.get("/v1/devices/" + e)["association"]["counter"], e)
    s.stop()


@case
def a_second_eimd_is_told_at_once_and_disturbs_nobody():
    s = Eimd(settings=ON)
    pid = signer_of(s)
    done = run(program("eimd"), "--data", s.dir, "--device-port", "0", "--api-port", "0")
    same(done.status, 1, done)
    check(b"another eimd works in" in done.err, done)
    same(signer_of(s), pid)
    same(s.get("/readyz")["status"], "ready")
    s.stop()


@case
def a_store_put_back_to_an_older_copy_does_not_bring_old_counters_back():
    fleet = Fleet(2, seed=99)
    s = Eimd(settings=ON, trust=fleet.root)
    eids = fleet.enrol(s)
    s.stop()
    for n in os.listdir(s.dir):
        if n.startswith("eimd.db"):
            shutil.copy(s.dir + "/" + n, s.log_dir + "/" + n)
    s.start()
    first = switch_all(s, fleet, eids)
    for e in eids:                      # the packages leave, and are never answered
        for _ in range(3):
            s.esipa(get_eim_package(e))
    before = signed_counters(s)
    same(sorted(before), sorted(eids))
    same(s.eimctl("audit", "head").status, 0)       # signed now, and not in the copy
    s.stop()
    for n in os.listdir(s.dir):
        if n.startswith("eimd.db"):
            os.unlink(s.dir + "/" + n)
    for n in os.listdir(s.log_dir):
        if n.startswith("eimd.db"):
            shutil.copy(s.log_dir + "/" + n, s.dir + "/" + n)
    s.start()                           # without --restored: the signer knows better
    orders = switch_all(s, fleet, eids)
    fleet.run(s, seconds=90)
    same([s.get("/v1/operations/%s" % o)["state"] for o in orders], ["done"] * 2, first)
    for e, counters in signed_counters(s).items():
        same(counters, sorted(set(counters)), e, "each counter once, rising")
    # The log of that store tells another history than the head that was signed: no more heads, before it has a key of its own.
    key = s.get("/v1/audit/key")["key"]
    head = s.eimctl("audit", "head")
    wait_for(lambda: "the signer refuses: " in s.log(), "the refusal of a head", seconds=20)
    check(head.status != 0, "no head of another history", head)
    s.stop()
    os.rename(s.dir + "/audit/key.pem", s.log_dir + "/old-key.pem")
    s.start()
    check(s.get("/v1/audit/key")["key"] != key, "another key")
    same(s.eimctl("audit", "export", s.log_dir + "/log.jsonl").status, 0)
    done = run(program("eimctl"), "audit", "verify", "--key", s.get("/v1/audit/key")["key"], s.log_dir + "/log.jsonl")
    same(done.status, 0, done)
    s.stop()


@case
def a_changed_journal_is_refused_and_named():
    fleet = Fleet(2, seed=98)
    s = Eimd(settings=ON, trust=fleet.root)
    eids = fleet.enrol(s)
    switch_all(s, fleet, eids)
    fleet.run(s, seconds=90)
    s.stop()
    name = s.dir + "/signer/journal-000001.log"
    whole = open(name, "rb").read()
    at = whole.index(b"\ns ") + 60
    with open(name, "r+b") as f:
        f.seek(at)
        f.write(bytes([whole[at] ^ 1]))
    done = run(program("eimd"), "--data", s.dir, "--device-port", "0", "--api-port", "0")
    same(done.status, 2, done)
    line = b"journal-000001.log: line %d does" % (whole[:at].count(b"\n") + 1)
    check(line in done.err and b"was changed" in done.err and b"did not get ready" in done.err, done)
    with open(name, "wb") as f:         # a torn end is none of that
        f.write(whole + b"s 123 half a li")
    s.start()
    check("half written" in s.log(), s.log())
    s.stop()
    mended = open(name, "rb").read()
    check(mended.startswith(whole) and b"half a li" not in mended, mended[len(whole):])


@case
def an_auditor_verifies_the_journal():
    fleet = Fleet(2, seed=97)
    s = Eimd(settings=ON, trust=fleet.root)
    eids = fleet.enrol(s)
    switch_all(s, fleet, eids)
    fleet.run(s, seconds=90)
    folder = s.dir + "/signer"
    done = run(SIGNER, "--verify", folder)
    same(done.status, 0, done)
    chain = re.search(r"^chain ([0-9a-f]{64})$", done.text, re.M).group(1)
    check(int(re.search(r"(\d+) packages", done.text).group(1)) >= 6, done)
    same(s.post("/v1/devices", {"eid": eid(78)})["eid"], eid(78))
    same(s.eimctl("audit", "head").status, 0)
    s.stop()
    later = run(SIGNER, "--verify", folder, "--since", chain)
    check(later.status == 0 and chain not in later.text, later)
    whole = open(folder + "/journal-000001.log", "rb").read()
    at = whole.index(chain.encode())
    with open(folder + "/journal-000001.log", "wb") as f:
        f.write(whole[:whole.rindex(b"\n", 0, at) + 1])
    same(run(SIGNER, "--verify", folder).status, 0, "its end cut off at a line")
    cut = run(SIGNER, "--verify", folder, "--since", chain)
    check(cut.status == 1 and b"cut off" in cut.err, cut)
    for args in (("--since", chain), ("--verify", folder, "--since", "12"), ("--verify", folder, "--keys", folder), ("--verify",), ()):
        same(run(SIGNER, *args).status, 2, args)


@case
def keys_that_others_may_read_and_a_missing_program_are_told():
    s = Eimd(settings=ON, start=False)
    os.chmod(s.dir + "/keys/eim.pem", 0o640)
    done = run(program("eimd"), "--data", s.dir, "--device-port", "0", "--api-port", "0")
    same(done.status, 2, done)
    check(b"keys/eim.pem" in done.err and b"0640" in done.err, done)
    alone = tmpdir()
    shutil.copy(program("eimd"), alone + "/eimd")
    done = run(alone + "/eimd", "--data", s.dir, "--device-port", "0", "--api-port", "0")
    same(done.status, 1, done)
    check((alone + "/eimsigner").encode() in done.err and b"cannot be started" in done.err, done)


# ---------------------------------------------------------------- what the process can reach

@case
def the_signer_reaches_nothing():
    s = Eimd(settings=ON)
    pid = signer_of(s)
    st = status_of(pid)
    same((st["NoNewPrivs"], st["Seccomp"], st["Threads"]), ("1", "2", "1"))
    soft, hard = re.search(r"^Max core file size +(\S+) +(\S+)", open("/proc/%d/limits" % pid).read(), re.M).groups()
    same((soft, hard), ("0", "0"))
    links = sorted(os.readlink("/proc/%d/fd/%s" % (pid, n)) for n in os.listdir("/proc/%d/fd" % pid))
    mine = {os.readlink("/proc/%d/fd/%s" % (s.pid, n)) for n in os.listdir("/proc/%d/fd" % s.pid)}
    sockets_ = [l for l in links if l.startswith("socket:")]
    same(len(sockets_), 1, links)
    check(sockets_[0] not in mine, "the other end is eimd's")
    logs = [l for l in links if os.path.basename(l).startswith("eimd.") and l.endswith(".log")]
    rest = [l for l in links if l not in sockets_ + logs]
    same(sorted(rest), sorted(["/dev/null", "/dev/null", s.dir + "/signer", s.dir + "/signer/journal-000001.log"]), "nothing else is open")
    s.stop()


# ---------------------------------------------------------------- a network process that was taken over

class Takeover:
    """eimsigner over the keys and the journal of a data directory, and we at the other end of its socket."""

    def __init__(self, directory, *options):
        ours, theirs = sockets.socketpair()
        self.log = tempfile.NamedTemporaryFile(dir=tmpdir(), delete=False)
        fd = theirs.fileno()
        self.process = subprocess.Popen(["sh", "-c", 'exec "$0" "$@" 3<&%d %d<&-' % (fd, fd) if fd != 3 else 'exec "$0" "$@"', SIGNER, "--keys",
                                         directory + "/keys", "--journal", directory + "/signer", "--notes", directory + "/audit/key.pem",
                                         "--name", "localhost", *options], pass_fds=(fd,),
                                        stdin=subprocess.DEVNULL, stderr=self.log)
        theirs.close()
        self.socket = ours
        self.socket.settimeout(CALL_SECONDS)

    def raw(self, octets):
        self.socket.sendall(octets)

    def receive(self):
        def exactly(n):
            out = b""
            while len(out) < n:
                more = self.socket.recv(n - len(out))
                if not more:
                    raise EOFError
                out += more
            return out
        return exactly(struct.unpack(">I", exactly(4))[0])

    def ask(self, body):
        self.raw(struct.pack(">I", len(body)) + body)
        return self.receive()

    def sign(self, *tbs, key=b"eim", token=0):
        """[(code, highest, signature or words)]"""
        r = self.ask(bytes([SIGN]) + struct.pack(">H", len(tbs))
                     + b"".join(struct.pack(">H", len(key)) + key + struct.pack(">q", token) + struct.pack(">H", len(t)) + t for t in tbs))
        if r[0] == REFUSED | ANSWER:
            return r[4:].decode()
        same(r[0], SIGN | ANSWER)
        out, at = [], 3
        for _ in range(struct.unpack(">H", r[1:3])[0]):
            code, highest = struct.unpack(">Bq", r[at:at + 9])
            n = 64 if code == 0 else 2 + struct.unpack(">H", r[at + 9:at + 11])[0]
            out.append((code, highest, r[at + 9:at + 9 + n] if code == 0 else r[at + 11:at + 9 + n].decode()))
            at += 9 + n
        same(at, len(r))
        return out

    def note(self, text, begin=0, hashes=()):
        """The signed note, or the words of the refusal."""
        r = self.ask(bytes([NOTE]) + struct.pack(">H", len(text)) + text + struct.pack(">QH", begin, 32 * len(hashes)) + b"".join(hashes))
        same(r[0], NOTE | ANSWER)
        return r[12:] if r[1] == 0 else r[12:].decode()

    def end(self):
        self.socket.close()
        return self.process.wait(STOP_SECONDS)

    def words(self):
        return open(self.log.name).read()


def package(device, counter, operations=None, eim=b"eim.test", txid=b"\x07" * 16):
    """EuiccPackageSigned by hand."""
    n = counter.to_bytes(counter.bit_length() // 8 + 1, "big")
    parts = [tlv("80", eim), tlv("5A", device), tlv("81", n)]
    if txid is not None:
        parts.append(tlv("82", txid))
    return tlv("30", *parts, operations if operations is not None else LISTING)


LISTING = tlv("A0", tlv("BF2D"))
DISABLE = tlv("A0", tlv("A4", tlv("5A", "98" * 10)))


def taken():
    s = Eimd(settings=ON, start=False)
    return s, Takeover(s.dir)


@case
def a_takeover_gets_no_lower_counter():
    s, t = taken()
    one = eid(1)
    (code, highest, signature), = t.sign(package(one, 5))
    same((code, highest, len(signature)), (0, 5, 64))
    for tbs in (package(one, 4), package(one, 5, DISABLE), package(one, 5, txid=b"\x08" * 16), package(one, 0)):
        (code, highest, words), = t.sign(tbs)
        check(code != 0 and highest == 5 and "5 was signed already" in words, code, highest, words)
    (code, _, words), = t.sign(package(one, 5), token=9)
    check(code != 0, "the same octets under another token are others", words)
    same(t.sign(package(one, 5))[0][0], 0, "the very same octets again")
    both = t.sign(package(one, 6), package(one, 6, DISABLE), package(one, 5), package(one, 7))
    same([r[0] == 0 for r in both], [True, False, False, True], both)
    (code, _, words), = t.sign(package(one, 7 + 100001))
    check(code != 0 and "past the last" in words, words)
    same(t.sign(package(one, 1, eim=b"another.eim"))[0][0], 0, "another association")
    t.process.kill()
    t.process.wait()
    t = Takeover(s.dir)                 # what it knows outlives it
    (code, highest, words), = t.sign(package(one, 7, DISABLE))
    check(code != 0 and highest == 7, code, highest, words)
    same(t.sign(package(one, 8))[0][0], 0)
    same(t.end(), 0, t.words())


@case
def a_takeover_gets_nothing_signed_that_is_no_package():
    s, t = taken()
    good = package(eid(2), 1)
    inner = good[2:]
    bad = {
        "nothing": b"", "text": b"sign me", "a digest": hashlib.sha256(b"x").digest(), "cut": good[:-1], "more behind": good + b"\0",
        "without a transaction id": package(eid(2), 1, txid=None), "no operations": package(eid(2), 1, tlv("A0")), "no package": package(eid(2), 1, b""),
        "an unknown member": tlv("30", inner, tlv("9F7F", b"hidden")), "a result": tlv("30", tlv("80", b"eim.test"), tlv("81", "01"), tlv("83", "01")),
        "an unknown operation": package(eid(2), 1, tlv("A0", tlv("BF7E", b"x"))), "a long length": b"\x30\x82" + struct.pack(">H", len(inner)) + inner,
        "a negative counter": tlv("30", tlv("80", b"eim.test"), tlv("5A", eid(2)), tlv("81", "FF"), tlv("82", b"\7" * 16), LISTING),
        "a counter with zeros before it": tlv("30", tlv("80", b"eim.test"), tlv("5A", eid(2)), tlv("81", "000001"), tlv("82", b"\7" * 16), LISTING),
        "a short EID": tlv("30", tlv("80", b"eim.test"), tlv("5A", b"\x89" * 15), tlv("81", "01"), tlv("82", b"\7" * 16), LISTING),
        "a certificate request": tlv("30", tlv("02", "00"), tlv("30"), tlv("A0")),
    }
    for what, tbs in bad.items():
        (code, _, words), = t.sign(tbs)
        check(code != 0, what, "was signed")
    for what, (key, token) in {"another key": (b"../tls/key", 0), "no key": (b"", 0), "a negative token": (b"eim", -1)}.items():
        check(t.sign(good, key=key, token=token)[0][0] != 0, what)
    same(signed_counters(s), {}, "nothing of it was counted either")
    same(t.sign(good)[0][0], 0)
    same(t.end(), 0, t.words())


@case
def a_takeover_that_speaks_nonsense_gets_no_key():
    s, t = taken()
    keys = t.ask(bytes([KEYS]) + VERSION)
    same(keys[0], KEYS | ANSWER)
    answers = [keys]
    rng = __import__("random").Random(7)
    whole = bytes([SIGN]) + b"\0\1" + b"\0\3eim" + bytes(8) + struct.pack(">H", len(package(eid(3), 1))) + package(eid(3), 1)
    for i in range(400):
        body = bytearray(whole)
        for _ in range(rng.randrange(1, 4)):
            body[rng.randrange(len(body))] = rng.randrange(256)
        answers.append(t.ask(bytes(body[:rng.randrange(1, len(body) + 1)])))
    for body in (bytes([KEYS]), bytes([KEYS]) + b"\0\1", bytes([0]), bytes([REFUSED]), bytes([SIGN]) + b"\0\0", bytes([SIGN]) + b"\xff\xff", b"\xff" * 100):
        r = t.ask(body)
        same(r[0], REFUSED | ANSWER, body)
        answers.append(r)
    secret = tlv_secret(s.dir + "/keys/eim.pem")
    check(all(secret not in a for a in answers), "no answer holds the key")
    check(secret not in journal(s) and secret.hex().encode() not in journal(s), "nor the journal")
    t.raw(struct.pack(">I", 1 << 30) + b"x")
    try:
        t.receive()
        check(False, "an endless message was answered")
    except (EOFError, ConnectionResetError):
        pass
    same(t.process.wait(STOP_SECONDS), 1)
    check("1073741824 octets" in t.words(), t.words())


def tlv_secret(name):
    """The private scalar in a PKCS#8 file."""
    lines = open(name).read().splitlines()
    der = b64("".join(l for l in lines if not l.startswith("-")))
    scalar = tlv_find(tlv_find(tlv_find(der, "30", "04"), "30"), "04")
    same(len(scalar), 32)
    return scalar


def node(*octets):
    return hashlib.sha256(b"".join(octets)).digest()


def head(size, root=b"\1" * 32, origin=b"localhost/audit/default"):
    return b"%s\n%d\n%s\n" % (origin, size, base64.b64encode(root))


@case
def a_takeover_gets_no_head_of_another_log_and_no_other_note():
    s, t = taken()
    a, b, c, d = (node(b"\0", bytes([i])) for i in range(4))          # a tree of two leaves that grows to four
    two, right = node(b"\1", a, b), node(b"\1", c, d)
    four = node(b"\1", two, right)
    good = t.note(head(2, two))
    check(good.startswith(head(2, two) + b"\n\xe2\x80\x94 localhost "), good)
    for text in (head(1), head(2)):
        check("2 was signed already" in t.note(text), text)
    for text in (b"", b"\n", b"anything\n", head(10, origin=b"other/audit/default"), head(10) + b"more\n", head(10).replace(b"10", b"010"),
                 head(10, origin=b"localhost/audit/x y"), head(10, origin=b"localhost/audit/" + b"x" * 300), head(10)[:-1], package(eid(1), 1)):
        check(isinstance(t.note(text), str), text)
    check("2 was signed last" in t.note(head(4, four)), "without a proof")
    for size, root, hashes in ((4, b"\2" * 32, [right]), (4, four, []), (4, four, [two]), (4, four, [right, right]), (5, four, [right]),
                               (4, node(b"\1", b"\3" * 32, right), [right])):
        check(isinstance(t.note(head(size, root), 2, hashes), str), "a false history", size, hashes)
    t.process.kill()
    t.process.wait()
    t = Takeover(s.dir)
    check("2 was signed already" in t.note(head(2)), "after a kill")
    check(t.note(head(4, four), 2, [right]).startswith(head(4, four)), "the true one")
    check("4 was signed already" in t.note(head(2, two)), "and not back again")
    same(t.end(), 0, t.words())


@case
def heads_of_the_audit_log_and_exports_are_signed_by_the_other_process():
    fleet = Fleet(3, seed=12)
    s = Eimd(settings=ON, trust=fleet.root)
    fleet.enrol(s)
    work = tmpdir()
    key = s.get("/v1/audit/key")["key"]
    for i in range(2):
        same(s.eimctl("audit", "export", work + "/log%d.jsonl" % i).status, 0)
        done = run(program("eimctl"), "audit", "verify", "--key", key, work + "/log%d.jsonl" % i)
        same(done.status, 0, done)
        if not i:
            same(s.api("POST", "/v1/devices", Fleet(1000, seed=3).lines(), headers={"Content-Type": "application/jsonl"}).json()["enrolled"], 1000)
            s.restart(hard=True)
            same(s.post("/v1/devices", {"eid": eid(77)})["eid"], eid(77))
    same(s.get("/v1/audit/key")["key"], key)
    lines = [l.split() for l in journal(s).decode().splitlines() if l.startswith("n ")]
    check(len(lines) >= 2 and {l[5] for l in lines} == {"localhost/audit/default"}, lines)
    same([int(l[3]) for l in lines], sorted({int(l[3]) for l in lines}), "each size once, rising")
    s.stop()


@case
def rates_bound_what_a_takeover_has_signed():
    s = Eimd(settings=ON, start=False)
    t = Takeover(s.dir, "--lists", "5", "--changes", "2")
    lists = [t.sign(package(eid(n), 1))[0][0] for n in range(20)]
    changes = [t.sign(package(eid(n), 2, DISABLE))[0][0] for n in range(20)]
    check(5 <= lists.count(0) <= 7 and lists[:5] == [0] * 5, lists)        # some more when a slow machine takes long
    check(2 <= changes.count(0) <= 4 and changes[:2] == [0] * 2, changes)
    same(t.end(), 0, t.words())


@case
def nobody_of_the_same_user_looks_into_the_signer():
    if os.geteuid() != 0:
        raise Skip("needs root: it becomes another user")
    s, t = taken()
    t.sign(package(eid(4), 1))
    with open("/proc/%d/status" % t.process.pid) as f:
        same(re.search(r"^Uid:\s+(\d+)", f.read(), re.M).group(1), "0")
    same(os.stat("/proc/%d/mem" % t.process.pid).st_uid, 0)
    t.end()
    home = tmpdir()
    os.chmod(home, 0o755)
    shutil.copytree(s.dir, home + "/data")
    shutil.rmtree(home + "/data/signer")
    for folder, _, files in os.walk(home + "/data"):
        for path in [folder] + [folder + "/" + f for f in files]:
            os.lchown(path, 65534, 65534)
    os.chmod(home + "/data", 0o711)
    t = Takeover(home + "/data")
    same(t.sign(package(eid(4), 1))[0][0], 0, t.words())
    same(status_of(t.process.pid)["Uid"].split(), ["65534"] * 4, "it became the owner of the keys")
    same(os.stat(home + "/data/signer").st_uid, 65534)
    look = run(sys.executable, "-c", "import os\nos.setgroups([])\nos.setgid(65534)\nos.setuid(65534)\nopen('/proc/%d/mem', 'rb')" % t.process.pid)
    check(look.status != 0 and b"PermissionError" in look.err, look)
    same(t.end(), 0, t.words())


@case
def with_a_user_of_its_own_the_keys_are_out_of_reach_of_eimd():
    if os.geteuid() != 0:
        raise Skip("needs root: it becomes two other users")
    eims, signers = pwd.getpwnam("nobody"), pwd.getpwnam("daemon")
    fleet = Fleet(2, seed=5)
    s = Eimd(settings=ON, trust=fleet.root, start=False)
    for folder in (os.path.dirname(s.dir), s.dir):
        os.chmod(folder, 0o711)
    for folder, _, files in os.walk(s.dir):
        for path in [folder] + [folder + "/" + f for f in files]:
            who = signers if path.startswith(s.dir + "/keys") else eims
            os.lchown(path, who.pw_uid, who.pw_gid)
    s.start()
    pid = signer_of(s)
    same(status_of(s.pid)["Uid"].split(), [str(eims.pw_uid)] * 4)
    same(status_of(pid)["Uid"].split(), [str(signers.pw_uid)] * 4)
    same(int(status_of(pid)["CapEff"], 16), 0)
    eids = fleet.enrol(s)
    orders = switch_all(s, fleet, eids)
    fleet.run(s, seconds=90)
    same([s.get("/v1/operations/%s" % o)["state"] for o in orders], ["done"] * 2)
    for path in ("keys/eim.pem", "audit/key.pem", "signer/journal-000001.log"):
        same(os.stat(s.dir + "/" + path).st_uid, signers.pw_uid, path)
        look = run(sys.executable, "-c", "import os\nos.setgroups([])\nos.setgid(%d)\nos.setuid(%d)\nopen(%r, 'rb')" % (eims.pw_gid, eims.pw_uid, s.dir + "/" + path))
        check(look.status != 0 and b"PermissionError" in look.err, path, look)
    s.restart(hard=True)
    same(s.get("/readyz")["status"], "ready")
    s.stop()


main()
