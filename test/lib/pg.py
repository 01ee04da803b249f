#!/usr/bin/env python3
"""A private PostgreSQL cluster for tests: as a module (class Cluster) and as the supervisor that pg.c starts.

It listens on a Unix socket in its own directory and nowhere else. As root it runs under the user postgres,
because initdb refuses root; else under the user itself.

As a program: prints `ready URL`, then obeys lines on stdin: `fresh` (a new database: `fresh URL`), `kill`
(crash the server: `killed`), `again` (start it on the same data: `ready URL`). When stdin closes, the server
is stopped and the directory removed; so nothing is left however the test that holds the other end dies.
The server in turn dies with this process (PR_SET_PDEATHSIG).
"""
import ctypes
import glob
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse

START_SECONDS = 60
SOCKET_DIR_MAX = 80         # sun_path holds 108 bytes, and /.s.PGSQL.5432 comes behind it


def bin_dir():
    found = glob.glob("/usr/lib/postgresql/*/bin/initdb")
    if not found:
        sys.exit("pg.py: no PostgreSQL in /usr/lib/postgresql; tools/setup installs it")
    return os.path.dirname(max(found, key=lambda p: int(re.sub(r"\D", "", p.split("/")[4]) or 0)))


class Cluster:
    """A running cluster. Use it in `with`, or call stop(). `sync` False means fsync=off."""

    def __init__(self, sync=False):
        self.process = None
        self.sync = sync
        self.bin = bin_dir()
        self.account = pwd.getpwnam("postgres") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        base = tempfile.gettempdir()
        self.dir = tempfile.mkdtemp(prefix="pg.", dir=base if len(base) < SOCKET_DIR_MAX - 12 else "/tmp")
        self.databases = 0
        try:
            os.chown(self.dir, self.account.pw_uid, self.account.pw_gid)
            self.data = self.dir + "/data"
            self._run("initdb", "-D", self.data, "--username=" + self.account.pw_name, "--auth=trust",
                      "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
            self.start()
        except BaseException:
            self.stop()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def url(self, database="postgres"):
        return "postgresql:///%s?host=%s&user=%s" % (
            database, urllib.parse.quote(self.dir, safe="/."), urllib.parse.quote(self.account.pw_name))

    def start(self):
        log = open(self.dir + "/log", "ab")
        os.chmod(self.dir + "/log", 0o644)
        sync = "on" if self.sync else "off"
        self.process = subprocess.Popen(
            [self.bin + "/postgres", "-D", self.data, "-k", self.dir, "-c", "listen_addresses=",
             "-c", "fsync=" + sync, "-c", "full_page_writes=" + sync,
             "-c", "max_connections=100", "-c", "shared_buffers=64MB", "-c", "timezone=UTC"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", preexec_fn=self._become)
        log.close()
        end = time.monotonic() + START_SECONDS
        while self._quiet("pg_isready", "-h", self.dir, "-U", self.account.pw_name, "-d", "postgres") != 0:
            if self.process.poll() is not None or time.monotonic() > end:
                with open(self.dir + "/log", errors="replace") as f:
                    raise RuntimeError("PostgreSQL does not start:\n" + f.read()[-4000:])
            time.sleep(0.05)

    def kill(self):
        """As a crash: connections break at once, nothing is written any more, the next start recovers."""
        self._signal(signal.SIGQUIT)

    def fresh(self):
        self.databases += 1
        name = "t%d" % self.databases
        self._run("createdb", "-h", self.dir, "-U", self.account.pw_name, name)
        return self.url(name)

    def sql(self, text, database="postgres"):
        """Run one SQL text by psql; the rows as lists of strings."""
        out = self._run("psql", "-h", self.dir, "-U", self.account.pw_name, "-d", database, "-XqAt", "-F", "\t",
                        "-v", "ON_ERROR_STOP=1", "-c", text)
        return [line.split("\t") for line in out.splitlines()]

    def stop(self):
        self._signal(signal.SIGQUIT)
        shutil.rmtree(self.dir, ignore_errors=True)

    def _signal(self, number):
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def _become(self):
        """In the child: another user if we are root, and death when the parent dies (set after the change, which clears it)."""
        os.setsid()
        if os.getuid() == 0:
            os.initgroups(self.account.pw_name, self.account.pw_gid)
            os.setgid(self.account.pw_gid)
            os.setuid(self.account.pw_uid)
        ctypes.CDLL(None).prctl(1, signal.SIGQUIT)

    def _env(self):
        return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "HOME": self.dir}

    def _quiet(self, tool, *args):
        return subprocess.call([self.bin + "/" + tool, *args], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, cwd="/", env=self._env())

    def _run(self, tool, *args):
        done = subprocess.run([self.bin + "/" + tool, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, cwd="/", env=self._env(), preexec_fn=self._become)
        if done.returncode != 0:
            raise RuntimeError("%s: %s" % (tool, done.stderr.strip()))
        return done.stdout


def say(*words):
    try:
        print(*words, flush=True)
    except BrokenPipeError:
        pass                # the other end is gone; the end of stdin follows


def supervise(sync):
    # A session of our own: what kills the test's whole process group must not kill us before we have cleaned up.
    try:
        os.setsid()
    except PermissionError:
        pass
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with Cluster(sync) as cluster:
        say("ready", cluster.url())
        for line in sys.stdin:
            if line.strip() == "fresh":
                say("fresh", cluster.fresh())
            elif line.strip() == "kill":
                cluster.kill()
                say("killed")
            elif line.strip() == "again":
                cluster.start()
                say("ready", cluster.url())
            else:
                sys.exit("pg.py: unknown command " + line.strip())


if __name__ == "__main__":
    supervise("--sync" in sys.argv[1:])
