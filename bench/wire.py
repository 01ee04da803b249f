"""Octets on the wire, and the memory of many downloads at once. Part of bench/run, which says how it is called.

What is counted is what TCP or UDP carries, records and handshakes of (D)TLS included, both ways, without the headers of TCP, UDP and IP: a relay in
between counts it.
Devices are those of eimsim; what an order costs is the difference between a device with and one without it.
"""
import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import threading
import time

DOWNLOADS, PACKAGE = 50, 60_000


class Relay:
    """Passes one port on to another and counts."""

    def __init__(self, port):
        self.target, self.octets, self.lock = port, 0, threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.target))
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(a, b), daemon=True).start()

    def _pump(self, a, b):
        try:
            while data := a.recv(65536):
                with self.lock:
                    self.octets += len(data)
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def taken(self):
        """Octets since the last call, once nothing moves any more."""
        while True:
            before = self.octets
            time.sleep(0.2)
            if self.octets == before:
                break
        with self.lock:
            n, self.octets = self.octets, 0
        return n

    def close(self):
        self.listener.close()


class UdpRelay(Relay):
    """The same for datagrams: what UDP carries."""

    def __init__(self, port):
        self.target, self.octets, self.lock, self.far = port, 0, threading.Lock(), {}
        self.listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.listener.bind(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._from_devices, daemon=True).start()

    def _count(self, data):
        with self.lock:
            self.octets += len(data)
        return data

    def _from_devices(self):
        while True:
            try:
                data, who = self.listener.recvfrom(65536)
            except OSError:
                return
            if who not in self.far:
                self.far[who] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                self.far[who].connect(("127.0.0.1", self.target))
                threading.Thread(target=self._to_device, args=(self.far[who], who), daemon=True).start()
            self.far[who].send(self._count(data))

    def _to_device(self, far, who):
        while True:
            try:
                self.listener.sendto(self._count(far.recv(65536)), who)
            except OSError:
                return


def setting(directory, section, lines):
    """Appended: for files that `eimd init` just made, in which every line is a comment."""
    with open(os.path.join(directory, "eimd.conf"), "a") as f:
        f.write("\n[%s]\n%s\n" % (section, "\n".join(lines)))


class Api:
    def __init__(self, eimd, port):
        self.port, self.tls = port, ssl.create_default_context(cafile=os.path.join(eimd.dir, "tls", "cert.pem"))
        with open(os.path.join(eimd.dir, "admin.token")) as f:
            self.token = f.read().strip()

    def __call__(self, method, path, body=None, media="application/json"):
        c = http.client.HTTPSConnection("localhost", self.port, context=self.tls, timeout=30)
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        c.request(method, path, data, {"Authorization": "Bearer " + self.token, "Content-Type": media})
        r = c.getresponse()
        answer = r.read()
        c.close()
        if r.status >= 300:
            raise RuntimeError("%s %s: %d %s" % (method, path, r.status, answer[:200]))
        return answer


class Fleet:
    def __init__(self, bench, api, pki, count, seed):
        self.bench, self.api, self.pki, self.count, self.seed = bench, api, pki, count, seed
        lines = self._eimsim("enrolment", "--devices", count, "--seed", seed, "--pki", pki, "--format", "jsonl")
        api("POST", "/v1/devices", lines, "application/jsonl")
        self.eids = [json.loads(line)["eid"] for line in lines.splitlines()]
        self.blob = os.path.join(pki, "eim.der")
        with open(self.blob, "wb") as f:
            f.write(api("GET", "/v1/eim/configuration.der"))

    def _eimsim(self, *words):
        return subprocess.run([os.path.join(self.bench.BUILD, "sim", "eimsim"), *map(str, words)], check=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=300).stdout

    def other_profile(self):
        shown = self._eimsim("show", "--seed", self.seed, "--device", 0).decode()
        return re.search(r"^ICCID +(\d+) +Operator B", shown, re.M).group(1)

    def order(self, body):
        for e in self.eids:
            self.api("POST", "/v1/devices/%s/operations" % e, body)

    def go(self, ca, port, *options, scheme="https"):
        out = self._eimsim("fleet", "--url", "%s://localhost:%d" % (scheme, port), "--cacert", ca, "--pki", self.pki, "--eim-config", self.blob,
                           "--devices", self.count, "--seed", self.seed, "--threads", self.count, "--interval", 200, "--until-idle",
                           "--seconds", 200, "--json", *options)
        return json.loads(out)["counters"]


HEAD = (b"POST /gsma/rsp2/asn1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-gsma-rsp-asn1\r\n"
        b"X-Admin-Protocol: gsma/rsp/v2.1.0\r\nContent-Length: %d\r\n\r\n")


def poll_again(relay, request):
    """Octets of the second poll of a connection."""
    with socket.create_connection(("127.0.0.1", relay.port)) as raw, poll.tls.wrap_socket(raw, server_hostname="localhost") as s:
        for _ in range(2):
            relay.taken()
            s.sendall(HEAD % len(request) + request)
            if not s.recv(65536).startswith(b"HTTP/1.1 200 "):
                raise RuntimeError("a poll was refused")
        return relay.taken()


def coap_polls(relay, request, ca):
    """Octets of the first poll of a DTLS session, its handshake included, and of the second. openssl makes the session, the CoAP is by hand."""
    p = subprocess.Popen(["openssl", "s_client", "-dtls1_2", "-connect", "127.0.0.1:%d" % relay.port, "-CAfile", ca, "-quiet", "-verify_quiet", "-nbio"],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    path = b"".join(bytes([(0xb0 if i == 0 else 0x00) | len(part)]) + part for i, part in enumerate((b"gsma", b"rsp2", b"asn1")))
    octets = []
    for mid in (1, 2):
        p.stdin.write(b"\x42\x02" + mid.to_bytes(2, "big") + b"tk" + path + b"\xff" + request)
        p.stdin.flush()
        if p.stdout.read1(2000)[1] != 0x44:
            raise RuntimeError("a poll over CoAP was refused")
        octets.append(relay.taken())
    p.kill()
    p.wait()
    return octets


def poll(port, request, session=None):
    """One poll over a new connection; the TLS session, for the next one."""
    tls = poll.tls
    with socket.create_connection(("127.0.0.1", port)) as raw, tls.wrap_socket(raw, server_hostname="localhost", session=session) as s:
        s.sendall(HEAD % len(request) + request)
        answer = s.recv(65536)
        if not answer.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError("a poll was answered %r" % answer[:80])
        if session and not s.session_reused:
            raise RuntimeError("the session was not resumed")
        return s.session


def simulated(bench, place, name, smdp_options, conf):
    """An eimd that trusts simulated cards, an SM-DP+ that it knows, and both ports."""
    pki = os.path.join(place, name + ".pki")
    os.mkdir(pki)
    subprocess.run([os.path.join(bench.BUILD, "sim", "eimsim"), "pki", "--out", pki], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    eimd = bench.Eimd(place, name)
    for section, lines in conf:
        setting(eimd.dir, section, lines)
    os.makedirs(os.path.join(eimd.dir, "trust"), exist_ok=True)
    with open(os.path.join(pki, "ci.pem")) as f, open(os.path.join(eimd.dir, "trust", "sim.pem"), "w") as g:
        pem = f.read()
        g.write(pem)
    dp = bench.children.start(bench.CLIENT_CORE, os.path.join(bench.BUILD, "sim", "eimsim"), "smdp", "--pki", pki, *smdp_options, stdout=subprocess.PIPE)
    address = dp.stdout.readline().decode().split()[1]
    eimd.start()
    api = Api(eimd, eimd.api_port)
    api("POST", "/v1/smdp-accounts", {"name": "dp", "address": address, "trust": pem, "max_parallel": 64})
    return eimd, api, pki, dp, address


def measure_bytes(bench, place):
    bench.stage("octets on the wire")
    conf = [("eim", ["indirect_download = yes"]), ("outbound", ["allow = 127.0.0.0/8, ::1/128"]), ("coap", ["enabled = yes", "listen = 127.0.0.1:0"])]
    eimd, api, pki, dp, address = simulated(bench, place, "wire", ("--package", PACKAGE), conf)
    ca, relay, udp = os.path.join(eimd.dir, "tls", "cert.pem"), Relay(eimd.port), UdpRelay(eimd.coap_port)
    idle = Fleet(bench, api, pki, 1, 1)
    idle.go(ca, eimd.port)
    request = bytes.fromhex(bench.POLL.replace("{eid}", idle.eids[0]))
    poll.tls = ssl.create_default_context(cafile=ca)
    for i in range(bench.ROUNDS):
        session = poll(relay.port, request)
        bench.note("bytes_poll_https_full", relay.taken())
        poll(relay.port, request, session)
        bench.note("bytes_poll_https_resumed", relay.taken())
        bench.note("bytes_poll_https_open", poll_again(relay, request))
        full, open_ = coap_polls(udp, request, ca)
        bench.note("bytes_poll_coaps", full)
        bench.note("bytes_poll_coaps_open", open_)
        nothing, enable, download = (Fleet(bench, api, pki, 1, 100 + 3 * i + k) for k in range(3))
        enable.order({"psmos": [{"enable": {"iccid": enable.other_profile(), "rollback": True}}]})
        download.order({"download": {"activation_code": "1$%s$M" % address}})
        nothing.go(ca, relay.port)
        base = relay.taken()
        enable.go(ca, relay.port)
        bench.note("bytes_enable_https", relay.taken() - base)
        download.go(ca, relay.port, "--download", "indirect")
        bench.note("bytes_download_https", relay.taken() - base)
        nothing, enable, download = (Fleet(bench, api, pki, 1, 200 + 3 * i + k) for k in range(3))
        enable.order({"psmos": [{"enable": {"iccid": enable.other_profile(), "rollback": True}}]})
        download.order({"download": {"activation_code": "1$%s$M" % address}})
        nothing.go(ca, udp.port, scheme="coaps")
        base = udp.taken()
        enable.go(ca, udp.port, scheme="coaps")
        bench.note("bytes_enable_coaps", udp.taken() - base)
        download.go(ca, udp.port, "--download", "indirect", scheme="coaps")
        bench.note("bytes_download_coaps", udp.taken() - base)
    relay.close()
    udp.close()
    bench.children.stop(dp)
    eimd.stop()


def measure_downloads(bench, place):
    bench.stage("%d downloads at once" % DOWNLOADS)
    conf = [("eim", ["indirect_download = yes"]), ("outbound", ["allow = 127.0.0.0/8, ::1/128"]), ("device", ["slow_workers = 128"])]
    eimd, api, pki, dp, address = simulated(bench, place, "downloads", ("--package", PACKAGE, "--loops", DOWNLOADS), conf)
    fleet = Fleet(bench, api, pki, DOWNLOADS, 1)
    ask = http.client.HTTPSConnection(address, context=ssl.create_default_context(cafile=os.path.join(pki, "ci.pem")), timeout=30)
    ask.request("POST", "/fault/getBoundProfilePackage/slow")                # each package comes after two seconds: so they are all under way at once
    ask.getresponse().read()
    fleet.order({"download": {"activation_code": "1$%s$M" % address}})
    report = fleet.go(os.path.join(eimd.dir, "tls", "cert.pem"), eimd.port, "--download", "indirect")
    if report["downloads"] != DOWNLOADS:
        raise RuntimeError("%d of %d devices have their profile" % (report["downloads"], DOWNLOADS))
    bench.note("downloads_rss_mb", eimd.memory_mb())
    bench.children.stop(dp)
    eimd.stop()
