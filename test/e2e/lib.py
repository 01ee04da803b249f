"""What the end-to-end tests share: a real eimd in a fresh data directory, foreign clients, and TAP.

A test program looks like this:

    from lib import *
    server = Eimd(settings={"eim.enrol_unknown": "yes"})

    @case
    def an_unknown_path_is_404():
        same(server.esipa(b"", path="/x").status, 404)

    main()

Each @case is one test case; it fails by any exception (check, same, an error of Python) and is skipped by Skip("why").
BUILD names the build folder with the programs, VECTORS the test vectors. Servers listen on free loopback ports, die with
this process, and are ended by their own pid. All is standard library; curl and openssl are called as programs.
"""
import atexit
import base64
import ctypes
import http.client
import json
import os
import re
import select
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "test", "lib"))
import pg  # noqa: E402

BUILD = os.environ.get("BUILD", os.path.join(ROOT, "build"))
VECTORS = os.environ.get("VECTORS", os.path.join(ROOT, "test", "vectors"))
START_SECONDS = 120             # a sanitizer's build on a busy machine
STOP_SECONDS = 60
CALL_SECONDS = 60
ASN1_PATH, ASN1_TYPE = "/gsma/rsp2/asn1", "application/x-gsma-rsp-asn1"
SANITIZER = re.compile(r"(AddressSanitizer|LeakSanitizer|ThreadSanitizer|UndefinedBehaviorSanitizer|runtime error:|Assertion .* failed)")


# ---------------------------------------------------------------- TAP

class Skip(Exception):
    """Raised by a case that cannot run here; its text is the reason, printed at the end of the whole test."""


CASES = []


def case(function):
    CASES.append(function)
    return function


def check(condition, *what):
    if not condition:
        raise AssertionError(" ".join(map(str, what)) or "check failed")


def same(got, want, *what):
    if got != want:
        raise AssertionError("%s: got %.600r, want %.600r" % (" ".join(map(str, what)) or "value", got, want))


def wait_for(function, what, seconds=60, pause=0.05):
    """The first true value of function(); a ceiling for things that end by themselves, not a measurement."""
    end = time.monotonic() + seconds
    while True:
        value = function()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("still waiting after %d s: %s" % (seconds, what))
        time.sleep(pause)


def main():
    """Run all cases in order; ends the process. A sanitizer's words in a server's log are a failure of their own."""
    failed = 0
    print("1..%d" % (len(CASES) + 1), flush=True)
    for i, function in enumerate(CASES, 1):
        try:
            function()
            print("ok %d - %s" % (i, function.__name__), flush=True)
        except Skip as why:
            print("ok %d - %s # SKIP %s" % (i, function.__name__, why), flush=True)
        except Exception:
            failed += 1
            print("not ok %d - %s" % (i, function.__name__), flush=True)
            print("".join("# " + l for l in traceback.format_exc().splitlines(True)), end="\n", flush=True)
            for s in Eimd.all:
                print("".join("# log: " + l for l in s.log().splitlines(True)[-25:]), flush=True)
    complaints = []
    for s in Eimd.all:
        try:
            s.stop()
        except Exception as e:
            complaints.append(str(e))
        complaints += [l for l in s.log().splitlines() if SANITIZER.search(l)]
    print("%s %d - the servers ended cleanly and no sanitizer complained" % ("not ok" if complaints else "ok", len(CASES) + 1))
    for l in complaints[:50]:
        print("# " + l)
    sys.exit(1 if failed or complaints else 0)


# ---------------------------------------------------------------- programs

def _die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def program(name):
    """The path of one of our programs in the build folder, wherever meson put it."""
    for place in ("src/app", "src/app/" + name, "sim", ""):
        path = os.path.join(BUILD, place, name)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    raise FileNotFoundError("%s is not built in %s" % (name, BUILD))


class Done:
    """What a program left: status, out and err (bytes), text (out as text)."""

    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    @property
    def text(self):
        return self.out.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return "status %d, out %.300r, err %.600r" % (self.status, self.out, self.err)


def run(*command, input=b"", env=None, seconds=CALL_SECONDS):
    """Run a program to its end. It never inherits a terminal; a timeout is an exception."""
    p = subprocess.run([str(c) for c in command], input=input, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       env=dict(os.environ, **(env or {})), timeout=seconds, preexec_fn=_die_with_parent)
    return Done(p.returncode, p.stdout, p.stderr)


def tmpdir():
    """A directory that goes away at exit."""
    d = tempfile.mkdtemp(prefix="e2e.")
    atexit.register(shutil.rmtree, d, ignore_errors=True)
    return d


def postgres():
    """A private cluster for this program; postgres().fresh() is the URL of an empty database."""
    global _cluster
    if _cluster is None:
        _cluster = pg.Cluster()
        atexit.register(_cluster.stop)
    return _cluster


_cluster = None


# ---------------------------------------------------------------- HTTP

class Reply:
    """status, headers (a case-blind http.client.HTTPMessage), body (bytes)."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return "HTTP %d %.600r" % (self.status, self.body)


class Connection:
    """One TLS connection that is kept alive between requests."""

    def __init__(self, port, context):
        self.http = http.client.HTTPSConnection("127.0.0.1", port, timeout=CALL_SECONDS, context=context)

    def request(self, method, path, body=None, headers=None):
        self.http.request(method, path, body=body, headers=headers or {})
        r = self.http.getresponse()
        return Reply(r.status, r.headers, r.read())

    def esipa(self, body, **extra):
        return self.request("POST", ASN1_PATH, body, dict(ESIPA_HEADERS, **extra))

    def close(self):
        self.http.close()


ESIPA_HEADERS = {"Content-Type": ASN1_TYPE, "X-Admin-Protocol": "gsma/rsp/v2.1.0", "User-Agent": "gsma-rsp-ipad"}


# ---------------------------------------------------------------- the server

class Eimd:
    """A server of its own: `eimd init` in a fresh directory, then `eimd --data DIR` on free ports.

    settings   {"section.key": "value"}: written into eimd.conf between init and start
    store      None for SQLite, else a postgresql:// URL
    start      False: only init; call start() later
    trust      a file with a CI root that it trusts
    directory  where the data directory is made, instead of one that goes away by itself
    """
    all = []

    def __init__(self, settings=None, store=None, start=True, args=(), env=None, trust=None, directory=None):
        self.dir = (directory or tmpdir()) + "/data"
        self.log_dir = tmpdir()
        self.args, self.env = list(args), dict(env or {})
        self.process, self.device_port, self.api_port, self.coap_port, self.es2_port, self.logs = None, 0, 0, 0, 0, []
        made = run(program("eimd"), "init", "--data", self.dir, env=self.env)
        if made.status != 0:
            raise RuntimeError("eimd init: %r" % made)
        self.init_output = made.text
        with open(self.dir + "/admin.token") as f:
            self.token = f.read().strip()
        settings = dict(settings or {})
        if store:
            settings["store.url"] = store
        for name, value in settings.items():
            self.set(name, value)
        if trust:
            shutil.copy(trust, self.dir + "/trust/")
        Eimd.all.append(self)
        atexit.register(self._kill_quietly)
        if start:
            self.start()

    # -- life

    def start(self):
        """Start and wait for the line `ready device=HOST:PORT api=HOST:PORT`. The ports of the first start are kept."""
        log = tempfile.NamedTemporaryFile(prefix="eimd.", suffix=".log", dir=self.log_dir, delete=False)
        self.logs.append(log.name)
        self.process = subprocess.Popen(
            [program("eimd"), "--data", self.dir, "--device-port", str(self.device_port), "--api-port", str(self.api_port), *self.args],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, env=dict(os.environ, **self.env), preexec_fn=_die_with_parent)
        log.close()
        line = self._first_line()
        m = re.fullmatch(r"ready device=127\.0\.0\.1:(\d+) api=127\.0\.0\.1:(\d+)(?: coap=127\.0\.0\.1:(\d+))?(?: es2plus=127\.0\.0\.1:(\d+))?", line)
        if not m:
            status = self.process.poll()
            self._kill_quietly()
            raise RuntimeError("eimd did not get ready: %r, status %s\n%s" % (line, status, self.log()[-4000:]))
        self.device_port, self.api_port = int(m.group(1)), int(m.group(2))
        self.coap_port = int(m.group(3)) if m.group(3) else 0
        self.es2_port = int(m.group(4)) if m.group(4) else 0
        threading.Thread(target=self.process.stdout.read, daemon=True).start()      # so that it never blocks on a full pipe
        return self

    def _first_line(self):
        end, fd, text = time.monotonic() + START_SECONDS, self.process.stdout.fileno(), b""
        while not text.endswith(b"\n"):
            if not select.select([fd], [], [], max(0, end - time.monotonic()))[0]:
                return "nothing in %d s" % START_SECONDS
            more = os.read(fd, 1)
            if not more:
                self.process.wait(STOP_SECONDS)
                break
            text += more
        return text.decode("utf-8", "replace").strip()

    @property
    def pid(self):
        return self.process.pid

    def running(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def kill9(self):
        """The power goes: nothing is flushed, nobody is told."""
        self.process.kill()
        self.process.wait()
        self.process = None

    def stop(self):
        """SIGTERM; it must drain and end with status 0."""
        if not self.process:
            return
        if self.process.poll() is None:
            self.process.terminate()
        try:
            status = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self.process = None
        check(status == 0, "eimd ended with status %d" % status)

    def restart(self, hard=False):
        """Stop (or kill -9) and start again, with the same data and on the same ports."""
        self.kill9() if hard else self.stop()
        return self.start()

    def reload(self):
        self.signal(signal.SIGHUP)

    def _kill_quietly(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def log(self):
        """Standard error of all starts."""
        text = ""
        for name in self.logs:
            try:
                with open(name, errors="replace") as f:
                    text += f.read()
            except FileNotFoundError:
                pass
        return text

    # -- settings

    def set(self, name, value):
        """Write one setting into eimd.conf: its line is replaced, a commented one too, else a line is put into the section."""
        section, key = name.split(".", 1)
        path = self.dir + "/eimd.conf"
        with open(path) as f:
            lines = f.read().splitlines()
        try:
            first = next(i for i, l in enumerate(lines) if l.strip() == "[%s]" % section)
        except StopIteration:
            lines += ["[%s]" % section]
            first = len(lines) - 1
        end = next((i for i in range(first + 1, len(lines)) if lines[i].lstrip().startswith("[")), len(lines))
        mine = [i for i in range(first + 1, end) if re.match(r"\s*[#;]?\s*%s\s*=" % re.escape(key), lines[i])]
        live = [i for i in mine if lines[i].lstrip()[:1] not in "#;"]
        text = "%s = %s" % (key, value)
        if mine:
            lines[(live or mine)[0]] = text
        else:
            lines.insert(first + 1, text)
        with open(path, "w") as f:
            f.write("\n".join(lines) + "\n")

    # -- clients

    @property
    def ca(self):
        return self.dir + "/tls/cert.pem"

    def context(self, minimum=ssl.TLSVersion.TLSv1_2, maximum=ssl.TLSVersion.TLSv1_3):
        c = ssl.create_default_context(cafile=self.ca)
        c.minimum_version, c.maximum_version = minimum, maximum
        return c

    def device(self):
        """A kept-alive connection to the device port; close it."""
        return Connection(self.device_port, self.context())

    def esipa(self, body, path=ASN1_PATH, method="POST", headers=None):
        """One request on a connection of its own. `headers` replaces the usual ones; a value None leaves one out."""
        use = dict(ESIPA_HEADERS, **(headers or {}))
        c = self.device()
        try:
            return c.request(method, path, body, {k: v for k, v in use.items() if v is not None})
        finally:
            c.close()

    def api(self, method, path, body=None, token=True, headers=None):
        """One REST call. `body`: bytes as they are, anything else as JSON. `token`: True ours, None none, or a text."""
        use = {}
        if token:
            use["Authorization"] = "Bearer " + (self.token if token is True else token)
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            use["Content-Type"] = "application/json"
        use.update(headers or {})
        c = Connection(self.api_port, self.context())
        try:
            return c.request(method, path, body, {k: v for k, v in use.items() if v is not None})
        finally:
            c.close()

    def get(self, path, want=200):
        """The JSON of a GET that must give `want`."""
        r = self.api("GET", path)
        same(r.status, want, "GET " + path, r)
        return r.json()

    def post(self, path, body=None, want=201):
        r = self.api("POST", path, body)
        same(r.status, want, "POST " + path, r)
        return r.json() if r.body else None

    def metrics(self):
        """{name or name{labels}: number}"""
        r = self.api("GET", "/metrics")
        same(r.status, 200, "/metrics")
        lines = [l.rsplit(" ", 1) for l in r.body.decode().splitlines() if l and l[0] != "#"]
        return {name: float(value) for name, value in lines}

    def eimctl(self, *args, input=b"", seconds=CALL_SECONDS):
        env = {"EIMCTL_URL": "https://127.0.0.1:%d" % self.api_port, "EIMCTL_TOKEN": self.token, "HOME": os.path.dirname(self.dir)}
        return run(program("eimctl"), "--cacert", self.ca, *args, input=input, env=env, seconds=seconds)

    def curl(self, *args, port=None, path="/", input=b""):
        """curl against the device port (or `port`), trusting our certificate; the URL is put last."""
        return run("curl", "-q", "-sS", "--noproxy", "*", "--max-time", str(CALL_SECONDS), "--cacert", self.ca, *args,
                   "https://127.0.0.1:%d%s" % (port or self.device_port, path), input=input)

    def curl_esipa(self, body, *args):
        """An ESipa message by curl: Done with the body in `out`; status 22 when HTTP refused it."""
        headers = [x for k, v in ESIPA_HEADERS.items() for x in ("-H", "%s: %s" % (k, v))]
        return self.curl("--fail", "--http1.1", *headers, "--data-binary", "@-", *args, path=ASN1_PATH, input=body)

    def s_client(self, *args, port=None, input=b""):
        """openssl s_client, verifying our certificate; ends when the server closes or input is sent and answered."""
        return run("openssl", "s_client", "-connect", "127.0.0.1:%d" % (port or self.device_port), "-CAfile", self.ca,
                   "-verify_return_error", *args, input=input)

    def s_client_esipa(self, body, *args):
        """An ESipa message as openssl s_client sends it: (Done, Reply)."""
        text = "POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" % ASN1_PATH
        text += "".join("%s: %s\r\n" % kv for kv in ESIPA_HEADERS.items()) + "Content-Length: %d\r\n\r\n" % len(body)
        done = self.s_client("-quiet", "-ign_eof", *args, input=text.encode() + body)
        return done, parse_reply(done.out)

    def raw(self, data, port=None, seconds=CALL_SECONDS):
        """Bytes over TLS, whatever they are; what comes back until the server closes. For broken HTTP."""
        with socket.create_connection(("127.0.0.1", port or self.device_port), seconds) as s:
            with self.context().wrap_socket(s, server_hostname="localhost") as t:
                t.sendall(data)
                out = b""
                while True:
                    try:
                        more = t.recv(65536)
                    except (ssl.SSLEOFError, ConnectionResetError):
                        more = b""
                    if not more:
                        return out
                    out += more

    def plain(self, port=None):
        """A TCP connection without TLS: for peers that never say hello. Close it."""
        return socket.create_connection(("127.0.0.1", port or self.device_port), CALL_SECONDS)


def parse_reply(data):
    """Bytes of one HTTP response as a Reply."""
    class Fake:
        def makefile(self, *_):
            import io
            return io.BytesIO(data)
    r = http.client.HTTPResponse(Fake())
    r.begin()
    return Reply(r.status, r.headers, r.read())


# ---------------------------------------------------------------- simulated devices

class Fleet:
    """`n` simulated devices with a PKI of their own. Give a server `trust=fleet.root`, then enrol them there and let them run."""

    def __init__(self, n, seed=1, directory=None):
        self.n, self.seed, self.dir = n, seed, directory or tmpdir()
        if not os.path.exists(self.root):
            done = run(program("eimsim"), "pki", "--out", self.dir)
            check(done.status == 0, "eimsim pki", done)

    @property
    def root(self):
        return self.dir + "/ci.pem"

    def lines(self, form="jsonl", pin=False):
        done = run(program("eimsim"), "enrolment", "--devices", self.n, "--seed", self.seed, "--pki", self.dir, "--format", form,
                   *(["--pin"] if pin else []))
        check(done.status == 0, "eimsim enrolment", done)
        return done.out

    def eids(self):
        return [json.loads(l)["eid"] for l in self.lines().splitlines()]

    def enrol(self, server):
        r = server.api("POST", "/v1/devices", self.lines(), headers={"Content-Type": "application/jsonl"})
        same((r.status, r.json().get("refused")), (200, 0), "enrolment", r)
        return self.eids()

    def iccids(self, i):
        """ICCIDs of the profiles of device number i: {"Operator A": ..., "Operator B": ...}"""
        done = run(program("eimsim"), "show", "--seed", self.seed, "--device", i)
        return dict((operator, iccid) for iccid, operator in re.findall(r"^ICCID +(\d+) +([^,\n]+)", done.text, re.M))

    def start(self, server, *options, url=None, cacert=None, seconds=300):
        """Start `eimsim fleet` until every device has nothing more to do; finish() gives its report."""
        blob = self.dir + "/eim.der"
        with open(blob, "wb") as f:
            f.write(server.api("GET", "/v1/eim/configuration.der").body)
        self.process = subprocess.Popen(
            [program("eimsim"), "fleet", "--url", url or "https://localhost:%d" % server.device_port, "--cacert", cacert or server.ca,
             "--pki", self.dir, "--eim-config", blob, "--devices", str(self.n), "--seed", str(self.seed), "--threads", str(min(4, self.n)),
             "--interval", "200", "--until-idle", "--seconds", str(seconds), "--json", *map(str, options)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=_die_with_parent)

    def finish(self):
        out, err = self.process.communicate()
        check(self.process.returncode == 0, "eimsim fleet: status", self.process.returncode, out, err)
        return json.loads(out)

    def run(self, server, *options, **more):
        self.start(server, *options, **more)
        return self.finish()


class Smdp:
    """`eimsim smdp` with certificates of the fleet's CI."""

    def __init__(self, fleet, *options):
        self.process = subprocess.Popen([program("eimsim"), "smdp", "--pki", fleet.dir, *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        preexec_fn=_die_with_parent)
        line = self.process.stdout.readline().decode()
        check(line.startswith("SM-DP+ localhost:"), line)
        words = line.split()
        self.address, self.es2_port = words[1], int(words[2].rsplit(":", 1)[1]) if len(words) > 2 else 0
        self.context = ssl.create_default_context(cafile=fleet.root)

    def _ask(self, method, path):
        c = http.client.HTTPSConnection(self.address, context=self.context, timeout=CALL_SECONDS)
        c.request(method, path)
        r = c.getresponse()
        body = r.read()
        c.close()
        check(r.status in (200, 204), method, path, r.status)
        return body

    def state(self):
        return json.loads(self._ask("GET", "/state"))

    def fault(self, function, fault):
        self._ask("POST", "/fault/%s/%s" % (function, fault))

    def stop(self):
        self.process.terminate()
        out, _ = self.process.communicate()
        same(self.process.returncode, 0)
        return json.loads(out)


def certificate(directory, name="other", curve="prime256v1"):
    """A self-signed certificate for localhost by openssl: (certificate file, key file)."""
    cert, key = directory + "/%s.pem" % name, directory + "/%s.key" % name
    done = run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:" + curve, "-nodes", "-days", "30",
               "-subj", "/CN=" + name, "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cert)
    check(done.status == 0, "openssl req", done)
    os.chmod(key, 0o600)
    return cert, key


# ---------------------------------------------------------------- the little DER that a foreign client needs

def tlv(tag, *parts):
    """tlv("BF4F", tlv("5A", eid)) -> bytes. Parts are bytes, or hex text."""
    body = b"".join(bytes.fromhex(p) if isinstance(p, str) else p for p in parts)
    n = len(body)
    size = bytes([n]) if n < 128 else bytes([0x80 | len(b := n.to_bytes((n.bit_length() + 7) // 8, "big"))]) + b
    return bytes.fromhex(tag) + size + body


def tlv_list(data):
    """[(tag in hex, value)] of concatenated TLVs; ValueError when they do not fit."""
    out, i = [], 0
    while i < len(data):
        start = i
        if data[i] & 0x1F == 0x1F:
            i += 1
            while data[i] & 0x80:
                i += 1
        i += 1
        tag = data[start:i].hex().upper()
        n, i = data[i], i + 1
        if n & 0x80:
            n, i = int.from_bytes(data[i:i + (n & 0x7F)], "big"), i + (n & 0x7F)
        if i + n > len(data):
            raise ValueError("%s runs over the end" % tag)
        out.append((tag, data[i:i + n]))
        i += n
    return out


def tlv_find(data, *path):
    """The value at a path of tags, first match each: tlv_find(reply, "BF4F", "02"); None if there is none."""
    for tag in path:
        data = next((v for t, v in tlv_list(data) if t == tag), None)
        if data is None:
            return None
    return data


def eid(number):
    """The EID with this serial: 32 digits, with right check digits (ISO 7064 MOD 97-10, SGP.02 2.2.2)."""
    head = "89049032" + "%022d" % number
    return head + "%02d" % (98 - int(head + "00") % 97)


def get_eim_package(device_eid, *more):
    return tlv("BF4F", tlv("5A", device_eid), *more)


def vectors(name):
    with open(os.path.join(VECTORS, name)) as f:
        return json.load(f)


def b64(text):
    return base64.b64decode(text, validate=True)
