"""ESipa over CoAP and DTLS: a simulated fleet, libcoap's own client as a foreign one, blocks, repetitions, limits, keys."""
import lib
from lib import *

NOTHING = "bf4f03020101"
CLIENT = "coap-client-openssl"
KEY = "00112233445566778899aabbccddeeff"


def coap(**more):
    settings = {"coap.enabled": "yes", "coap.listen": "127.0.0.1:0", "eim.indirect_download": "yes", "outbound.allow": "127.0.0.0/8, ::1/128",
                "notify.retry": "1s"}
    settings.update(more)
    return settings


def client(server, *options, path="gsma/rsp2/asn1", method="post", body=b"", port=None, key=None):
    """One request by libcoap's client: (code text or "", payload). The body goes through a file."""
    directory = tmpdir()
    with open(directory + "/in", "wb") as f:
        f.write(body)
    auth = ["-u", key[0], "-k", key[1]] if key else ["-R", server.ca]
    done = run(CLIENT, "-m", method, "-B", "20", "-v", "6", *auth, *(["-f", directory + "/in"] if body else []), "-o", directory + "/out", *options,
               "coaps://127.0.0.1:%d/%s" % (port or server.coap_port, path), seconds=CALL_SECONDS)
    out = b""
    if os.path.exists(directory + "/out"):
        with open(directory + "/out", "rb") as f:
            out = f.read()
    codes = re.findall(r"\b(\d\.\d\d)\b", done.text + done.err.decode(errors="replace"))
    return codes[-1] if codes else "", out


class Session:
    """CoAP messages by hand through a DTLS session of openssl's: what a well-behaved library never sends."""

    def __init__(self, server):
        self.p = subprocess.Popen(["openssl", "s_client", "-dtls1_2", "-connect", "127.0.0.1:%d" % server.coap_port, "-CAfile", server.ca, "-quiet",
                                   "-verify_quiet", "-nbio"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, preexec_fn=lib._die_with_parent)
        os.set_blocking(self.p.stdout.fileno(), False)
        self.mid = 100

    def send(self, code=2, mid=None, token=b"tk", path=("gsma", "rsp2", "asn1"), options=(), payload=b"", kind=0):
        """One message; options: (number, value) beside the path. One write is one record is one datagram."""
        if mid is None:
            self.mid += 1
            mid = self.mid
        out, last = bytes([0x40 | kind << 4 | len(token), code]) + mid.to_bytes(2, "big") + token, 0
        for number, value in sorted([(11, p.encode()) for p in path] + list(options), key=lambda o: o[0]):
            delta, n = number - last, len(value)
            head = [13 if v > 12 else v for v in (delta, n)]
            out += bytes([head[0] << 4 | head[1]]) + b"".join(bytes([v - 13]) for v in (delta, n) if v > 12) + value
            last = number
        self.p.stdin.write(out + (b"\xff" + payload if payload else b""))
        self.p.stdin.flush()
        return mid

    def receive(self, seconds=10):
        """(kind, code, mid, token, options {number: value}, payload) of the next message, or None."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            data = self.p.stdout.read() or b""
            if data:
                return self._parse(data)
            time.sleep(0.01)
        return None

    @staticmethod
    def _parse(data):
        kind, n, code, mid = data[0] >> 4 & 3, data[0] & 15, data[1], int.from_bytes(data[2:4], "big")
        token, at, number, options = data[4:4 + n], 4 + n, 0, {}
        while at < len(data) and data[at] != 0xff:
            delta, size = data[at] >> 4, data[at] & 15
            at += 1
            if delta == 13:
                delta, at = data[at] + 13, at + 1
            if size == 13:
                size, at = data[at] + 13, at + 1
            number += delta
            options[number] = data[at:at + size]
            at += size
        return kind, "%d.%02d" % (code >> 5, code & 31), mid, token, options, data[at + 1:]

    def ask(self, **what):
        mid = self.send(**what)
        got = self.receive()
        check(got and got[2] == mid, "an answer to", what, got)
        return got

    def close(self):
        self.p.kill()
        self.p.wait()
        self.p.stdin.close()
        self.p.stdout.close()


def made(number):
    """An EID with right check digits, enrolled."""
    digits = "8904903200000000%014d" % number
    eid = digits + "%02d" % (98 - int(digits) * 100 % 97)
    same(server.api("POST", "/v1/devices", {"eid": eid}).status, 201)
    return eid


def poll(eid):
    return tlv("BF4F", tlv("5A", eid))


def stat(server, name):
    return int(re.search(r"^eimd_coap_%s(?:_total)? (\d+)" % name, server.api("GET", "/metrics").body.decode(), re.M).group(1))


server = Eimd(settings=coap())
fleet = Fleet(3, seed=50)
psk_file = tmpdir() + "/psk"
with open(psk_file, "w") as f:
    f.write("# who may come without certificates\nmeter-1:%s\n" % KEY)
os.chmod(psk_file, 0o600)


@case
def a_fleet_switches_over_coap_in_both_bindings():
    s = Eimd(settings=coap(), trust=fleet.root)
    for binding in ("asn1", "json"):
        devices = Fleet(3, seed=60 + len(binding), directory=fleet.dir)
        eids = devices.enrol(s)
        ops = [s.post("/v1/devices/%s/operations" % e, {"psmos": [{"enable": {"iccid": devices.iccids(i)["Operator B"], "rollback": True}}]})["id"]
               for i, e in enumerate(eids)]
        devices.run(s, "--binding", binding, "--loss", "3", url="coaps://localhost:%d" % s.coap_port)
        same([s.get("/v1/operations/" + o)["state"] for o in ops], ["done"] * 3, binding)
    same(stat(s, "requests_refused"), 0)
    s.stop()


@case
def a_profile_is_downloaded_block_by_block():
    s = Eimd(settings=coap(), trust=fleet.root)
    devices = Fleet(1, seed=70, directory=fleet.dir)
    eid = devices.enrol(s)[0]
    dp = Smdp(fleet, "--package", "60000")
    with open(fleet.root) as f:
        s.post("/v1/smdp-accounts", {"name": "dp", "address": dp.address, "trust": f.read()})
    op = s.post("/v1/devices/%s/operations" % eid, {"download": {"activation_code": "1$%s$M" % dp.address}})["id"]
    devices.run(s, "--download", "indirect", url="coaps://localhost:%d" % s.coap_port)
    seen = s.get("/v1/operations/" + op)
    same(seen["state"], "done", seen)
    check(stat(s, "blocks_out") >= 60000 // 1024, "the package went out in blocks")
    check(stat(s, "blocks_in") >= 2, "and what the card signed came in blocks")
    dp.stop()
    s.stop()


@case
def a_foreign_client_is_answered():
    eid = made(5001)
    code, out = client(server, body=poll(eid))
    check(out.hex().startswith("bf4f"), code, out)
    unknown = client(server, body=poll("89049032000000000000000000005034"))
    same(unknown[1].hex(), "bf4f03020102")
    same(client(server, path="gsma/rsp2/nothing", body=b"x")[0], "4.04")
    same(client(server, method="get")[0], "4.05")
    same(client(server, body=b"junk")[0], "4.00")
    same(client(server, "-t", "50", body=poll(eid))[0], "4.15")
    text = json.dumps({"eidValue": eid}).encode()
    answer = json.loads(client(server, "-t", "50", path="gsma/rsp2/esipa/getEimPackage", body=text)[1])
    check("header" in answer, answer)


@case
def a_request_that_comes_again_is_executed_once():
    eid = made(5002)
    s = Session(server)
    before = stat(server, "requests")
    first = s.ask(payload=poll(eid))
    check(first[1] == "2.04" and first[5].hex().startswith("bf4f"), first)
    again = s.ask(mid=first[2], payload=poll(eid))
    same(again, first)
    same(stat(server, "requests"), before + 1)
    check(stat(server, "requests_again") >= 1)
    other = s.ask(payload=poll(eid))                   # another message id is another request
    same((other[1], stat(server, "requests")), ("2.04", before + 2))
    s.close()


def block(num, more, szx):
    v = num << 4 | more << 3 | szx
    return v.to_bytes((v.bit_length() + 7) // 8, "big")


@case
def blocks_are_put_together_once_and_in_order():
    eid = made(5003)
    body, s = poll(eid), Session(server)
    check(16 < len(body) <= 32, len(body))
    same(s.ask(options=[(27, block(0, 1, 0))], payload=body[:16])[1], "2.31")
    same(s.ask(options=[(27, block(0, 1, 0))], payload=body[:16])[1], "2.31")             # from the start again
    last = s.ask(options=[(27, block(1, 0, 0))], payload=body[16:])
    check(last[1] == "2.04" and last[5].hex().startswith("bf4f"), last)
    same(s.ask(mid=last[2], options=[(27, block(1, 0, 0))], payload=body[16:])[5], last[5])
    same(s.ask(options=[(27, block(1, 0, 0))], payload=body[16:])[1], "4.08")             # the first is missing
    same(s.ask(options=[(27, block(0, 1, 0))], payload=body[:16])[1], "2.31")
    same(s.ask(options=[(27, block(5, 0, 0))], payload=body[16:])[1], "4.08")             # a gap
    same(s.ask(options=[(27, block(0, 1, 0))], payload=body[:9])[1], "4.00")              # a block that is not full, and not the last
    same(s.ask(options=[(27, block(0, 1, 7))], payload=body[:16])[1], "4.00")             # SZX 7 is reserved
    same(s.ask(options=[(23, block(3, 0, 0))])[1], "4.02")                                # of an answer that has no such block
    same(s.ask(options=[(23, block(3, 0, 0))], path=("gsma", "rsp2", "other"))[1], "4.08")      # of one that there is not
    s.close()


@case
def an_answer_is_fetched_in_the_blocks_that_the_device_wants():
    eid = fleet.enrol(server)[0]
    s = Session(server)
    first = s.ask(payload=poll(eid), options=[(23, block(0, 0, 0))])                      # sixteen octets a block
    got, num = first[5], 0
    same((first[1], len(got)), ("2.04", 16), first)
    while first[4][23][-1] & 8:
        num += 1
        first = s.ask(options=[(23, block(num, 0, 0))])
        same(first[1], "2.04", first)
        got += first[5]
    same(tlv_list(got)[0][0].lower(), "bf4f")
    check(num >= 1, "more than one block")
    same(s.ask(options=[(23, block(num + 5, 0, 0))])[1], "4.02")
    s.close()


@case
def what_is_too_large_or_too_much_is_refused():
    s = Session(server)
    code, num = "2.31", 0
    while code == "2.31" and num < 100:
        code = s.ask(options=[(27, block(num, 1, 6))], payload=bytes(1024))[1]
        num += 1
    same((code, num), ("4.13", 65))                    # 64 KiB and no more
    s.close()
    small = Eimd(settings=coap(**{"coap.per_address": "2"}))
    half = [Session(small) for _ in range(3)]
    same([x.ask(options=[(27, block(0, 1, 0))], payload=bytes(16))[1] for x in half], ["2.31", "2.31", "4.29"])
    half[0].close()
    for x in half[1:]:
        x.close()
    small.stop()


@case
def an_answer_that_takes_its_time_comes_by_itself():
    s = Eimd(settings=coap(), trust=fleet.root)
    devices = Fleet(1, seed=80, directory=fleet.dir)
    eid = devices.enrol(s)[0]
    dp = Smdp(fleet)
    with open(fleet.root) as f:
        s.post("/v1/smdp-accounts", {"name": "dp", "address": dp.address, "trust": f.read()})
    dp.fault("authenticateClient", "slow")
    op = s.post("/v1/devices/%s/operations" % eid, {"download": {"activation_code": "1$%s$M" % dp.address}})["id"]
    devices.run(s, "--download", "indirect", url="coaps://localhost:%d" % s.coap_port)
    same(s.get("/v1/operations/" + op)["state"], "done")
    check(stat(s, "separate") >= 1, "an answer came after an empty acknowledgement")
    dp.stop()
    s.stop()


@case
def a_pre_shared_key_opens_and_another_does_not():
    s = Eimd(settings=coap(**{"coap.psk": psk_file}))
    devices = Fleet(1, seed=90, directory=fleet.dir)
    eid = devices.enrol(s)[0]
    report = devices.run(s, "--psk", "meter-1:" + KEY, url="coaps://localhost:%d" % s.coap_port)
    check(report["counters"]["polls"] >= 1, report)
    before = stat(s, "requests")
    for wrong in ("meter-1:" + "ff" * 16, "meter-2:" + KEY):
        other = Fleet(1, seed=91, directory=fleet.dir)
        other.start(s, "--psk", wrong, url="coaps://localhost:%d" % s.coap_port, seconds=3)
        other.process.communicate()
        check(other.process.returncode != 0, wrong)
    same(stat(s, "requests"), before)
    check(client(s, body=poll(eid))[1].hex().startswith("bf4f"), "certificates go too")
    check(KEY not in s.log() and KEY.upper() not in s.log(), "the key is in no log")
    s.stop()


@case
def broken_key_files_stop_the_start():
    for text, why in (("meter-1\n", ":1:"), ("# fine\nmeter-1:zz\n", ":2:"), ("m:0011\n", ":1:"), (":%s\n" % KEY, ":1:")):
        path = tmpdir() + "/psk"
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, 0o600)
        s = Eimd(settings=coap(**{"coap.psk": path}), start=False)
        done = run(program("eimd"), "--data", s.dir, "--device-port", "0", "--api-port", "0")
        err = done.err.decode()
        check(done.status == 2 and why in err and "IDENTITY:KEY" in err, text, done)


if __name__ == "__main__":
    main()
