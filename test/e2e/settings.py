"""What eimd refuses to start with, and how it stands when it runs: settings, data directory, user, files, tokens, log."""
import grp
import pwd
import sqlite3
import stat

from lib import *

EIMD = program("eimd")
ANY_PORTS = ("--device-port", "0", "--api-port", "0")
USER = "nobody"


def made():
    """A fresh data directory that nothing serves."""
    d = tmpdir() + "/data"
    done = run(EIMD, "init", "--data", d)
    same(done.status, 0, done)
    return d


def conf_of(d, text):
    with open(d + "/eimd.conf", "w") as f:
        f.write(text)


def refused(done, status, *words):
    """This status, nothing on standard output, and one line on standard error that begins with the program and holds the words."""
    same(done.status, status, done)
    same(done.out, b"", done)
    last = done.err.decode().splitlines()[-1]
    check(last.startswith("eimd: "), done)
    for w in words:
        check(w in last, "no", repr(w), "in", last)


def both_ways(d, status, *words):
    """--check and a start refuse it alike."""
    refused(run(EIMD, "--data", d, "--check"), status, *words)
    refused(run(EIMD, "--data", d, *ANY_PORTS), status, *words)


def tree(d):
    """{path: (mode, uid, content)} of everything below d."""
    out = {}
    for folder, names, files in os.walk(d):
        for n in names + files:
            path = os.path.join(folder, n)
            st = os.lstat(path)
            content = open(path, "rb").read() if stat.S_ISREG(st.st_mode) else None
            out[os.path.relpath(path, d)] = (stat.S_IMODE(st.st_mode), st.st_uid, content)
    return out


def sql(d, text, *values):
    """Change the database of a server that does not run; the number of rows changed."""
    c = sqlite3.connect(d + "/eimd.db")
    try:
        n = c.execute(text, values).rowcount
        c.commit()
        return n
    finally:
        c.close()


# ---------------------------------------------------------------- settings

@case
def check_prints_every_setting_and_takes_its_own_output():
    d = made()
    names = re.findall(r"^#([a-z0-9_]+) =", open(d + "/eimd.conf").read(), re.M)
    check(len(names) > 30, names)
    first = run(EIMD, "--data", d, "--check")
    same(first.status, 0, first)
    same([l.split(" = ")[0].removesuffix(" =") for l in first.text.splitlines() if "=" in l], names)
    conf_of(d, first.text)
    same(run(EIMD, "--data", d, "--check").out, first.out)
    conf_of(d, first.text.replace("deliveries_max = 3", "deliveries_max = 5"))
    check("deliveries_max = 5\n" in run(EIMD, "--data", d, "--check").text, "a changed value is printed")


@case
def every_setting_refuses_a_wrong_value_with_file_line_name_and_what_is_allowed():
    d = made()
    text = open(d + "/eimd.conf").read()
    section, told, tried = None, None, 0
    for line in text.splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line.startswith("# "):
            told = line
        m = re.match(r"#([a-z0-9_]+) =", line)
        if not m:
            continue
        octets = re.search(r"\d+ to (\d+) octets", told)
        value = "x" * (int(octets.group(1)) + 1) if octets else "a,,b" if "with commas" in told else "?"
        name = "%s.%s" % (section, m.group(1))
        conf_of(d, "# one\n[%s]\n%s = %s\n" % (section, m.group(1), value))
        done = run(EIMD, "--data", d, "--check")
        if len(value) < 4000:
            allowed = told[:-1].split(" [start] (")[-1] if " [start] (" in told else told[:-1].split(" (", 1)[1]
            refused(done, 2, d + "/eimd.conf:3: ", name + " is '" + value[:40], "allowed is " + allowed)
        else:
            refused(done, 2, d + "/eimd.conf:3: ")
        tried += 1
    check(tried > 30, tried)


@case
def unknown_names_repeated_keys_and_broken_lines_are_refused_at_check_and_at_start():
    d = made()
    where = d + "/eimd.conf:"
    for text, *words in (
            ("[eim]\n\n[nonsense]\n", where + "3: ", "[nonsense]", "eim, notify, push, events, outbound, device, coap, es2plus, api, tls, store, server, signer, log"),
            ("[eim]\nfqdn = a.example\nfqnd = b.example\n", where + "3: ", "'fqnd'", "[eim]"),
            ("[device]\nfqdn = a.example\n", where + "2: ", "'fqdn'", "[device]"),
            ("[log]\nlevel = info\n[eim]\n[log]\nlevel = warn\n", where + "5: ", "log.level", "line 2"),
            ("[log]\nlevel = loud\n", where + "2: ", "log.level is 'loud'", "debug|info|warn|error"),
            ("[eim]\ndeliveries_max = 0\n", where + "2: ", "eim.deliveries_max is '0'", "from 1 to 1000"),
            ("[eim]\ndeliveries_max = 3x\n", where + "2: ", "eim.deliveries_max is '3x'"),
            ("[eim]\nenrol_unknown = true\n", where + "2: ", "eim.enrol_unknown is 'true'", "yes or no"),
            ("[api]\nlisten = localhost:1\n", where + "2: ", "api.listen is 'localhost:1'", "1.2.3.4:PORT"),
            ("[api]\nlisten = 127.0.0.1:65536\n", where + "2: ", "api.listen"),
            ("[eim]\noutcome_timeout = 7\n", where + "2: ", "eim.outcome_timeout is '7'", "1s to 365d"),
            ("level = info\n", where + "1: ", "level", "before the first section"),
            ("[log]\nlevel\n", where + "2: ", "key = value"),
            ("[log]\nlevel = in\0fo\n", where + "2: ", "NUL"),
            ("[store]\nurl = mysql://x\n", "eimd.conf", "store.url", "sqlite:", "postgresql://"),
            ("[tls]\nbrainpool_key = x\n", "eimd.conf", "tls.brainpool_certificate", "together")):
        conf_of(d, text)
        both_ways(d, 2, *words)
    conf_of(d, "[device]\nlisten = 127.0.0.1:4711\n[api]\nlisten = 127.0.0.1:4711\n")
    refused(run(EIMD, "--data", d), 2, "api.listen", "4711")
    check(not os.path.exists(d + "/eimd.addr"), "nothing was announced")


@case
def a_wrong_command_line_is_status_2():
    d = made()
    for args in (("--data", d, "--chekc"), ("--data", d, "extra"), ("--data", d, "--api-port", "65536"), ("--data", d, "--api-port", "x"),
                 ("init", "--data", d, "--check"), ("--data", d, "--fqdn", "a.example"), (), ("--data", "")):
        done = run(EIMD, *args)
        same(done.status, 2, args, done)
        check(done.err, args)
    refused(run(EIMD, "--data", d + "/none", *ANY_PORTS), 2, d + "/none", "eimd init")
    refused(run(EIMD, "init", "--data", tmpdir() + "/x", "--fqdn", "no host"), 2, "no host")


# ---------------------------------------------------------------- init and the data directory

@case
def init_is_idempotent_and_never_overwrites():
    d = made()
    before = tree(d)
    same(sorted(n for n in before if before[n][2] is not None and not n.startswith("eimd.db")),
         ["admin.token", "eimd.conf", "keys/eim.pem", "tls/cert.pem", "tls/key.pem"])
    again = run(EIMD, "init", "--data", d)
    same(again.status, 0, again)
    token = before["admin.token"][2].strip()
    check(token and token not in again.out + again.err, "the token is shown only once")
    after = tree(d)
    for name in before:
        if not name.startswith("eimd.db"):
            same(after.get(name), before[name], name)
    os.unlink(d + "/tls/cert.pem")
    same(run(EIMD, "init", "--data", d).status, 0)
    mended = tree(d)
    check(b"BEGIN CERTIFICATE" in mended["tls/cert.pem"][2] and mended["tls/cert.pem"][0] == 0o600, "what is missing is made again")
    for name in ("keys/eim.pem", "tls/key.pem", "admin.token", "eimd.conf"):
        same(mended[name], before[name], name)
    refused(run(EIMD, "init", "--data", d, "--fqdn", "other.example"), 2, "eim.fqdn")
    same(tree(d)["eimd.conf"], before["eimd.conf"])


@case
def all_that_eimd_writes_is_private():
    old = os.umask(0)
    try:
        s = Eimd()
    finally:
        os.umask(old)
    same(s.api("POST", "/v1/devices", {"eid": eid(1)}).status, 201)
    seen = tree(s.dir)
    check("eimd.addr" in seen and "eimd.lock" in seen and "eimd.db" in seen, sorted(seen))
    same(stat.S_IMODE(os.stat(s.dir).st_mode), 0o700)
    for name, (mode, uid, content) in seen.items():
        same(oct(mode), oct(0o700 if content is None else 0o600), name)
    s.stop()
    check(not os.path.exists(s.dir + "/eimd.addr"), "the address goes when the server goes")


@case
def secrets_that_others_may_read_are_refused():
    for name in ("keys/eim.pem", "admin.token"):
        d = made()
        os.chmod(d + "/" + name, 0o640)
        done = run(EIMD, "--data", d, *ANY_PORTS)
        refused(done, 2, d + "/" + name, "0640", "0600")


@case
def a_data_directory_that_anybody_can_write_is_refused():
    d = made()
    os.chmod(d, 0o703)
    refused(run(EIMD, "--data", d, *ANY_PORTS), 2, d, "0700")
    refused(run(EIMD, "init", "--data", d), 2, d, "0700")
    os.chmod(d, 0o700)


@case
def two_eimds_on_one_data_directory_are_refused():
    s = Eimd()
    refused(run(EIMD, "--data", s.dir, *ANY_PORTS), 1, "another eimd", s.dir)
    same(s.get("/readyz")["status"], "ready", "the first one is not disturbed")
    check(os.path.exists(s.dir + "/eimd.addr"), "nor is its address")
    s.kill9()
    s.start()                           # a lock of the dead holds nobody up
    s.stop()


@case
def a_database_from_the_future_is_refused_with_both_numbers():
    d = made()
    c = sqlite3.connect(d + "/eimd.db")
    known = c.execute("SELECT max(version) FROM schema_version").fetchone()[0]
    c.close()
    check(known >= 1, known)
    same(sql(d, "INSERT INTO schema_version (version) VALUES (?)", known + 41), 1)
    refused(run(EIMD, "--data", d, *ANY_PORTS), 1, "schema %d" % (known + 41), "up to %d" % known)
    same(sql(d, "DELETE FROM schema_version WHERE version = ?", known + 41), 1)
    s = bare(d)
    launch(s, EIMD)
    same(s.get("/readyz")["status"], "ready")
    s.stop()


# ---------------------------------------------------------------- users

def bare(d):
    """An Eimd object for a data directory that is there already; launch() starts it."""
    s = Eimd.__new__(Eimd)
    s.dir, s.args, s.env, s.process, s.device_port, s.api_port, s.logs = d, [], {}, None, 0, 0, []
    s.token = open(d + "/admin.token").read().strip()
    Eimd.all.append(s)
    atexit.register(s._kill_quietly)
    return s


def launch(s, *command):
    """Start it by this command, which may be a wrapper that becomes eimd."""
    log = tempfile.NamedTemporaryFile(prefix="eimd.", suffix=".log", dir=tmpdir(), delete=False)
    s.logs.append(log.name)
    s.process = subprocess.Popen([*command, "--data", s.dir, *ANY_PORTS], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
    log.close()
    line = s._first_line()
    m = re.fullmatch(r"ready device=127\.0\.0\.1:(\d+) api=127\.0\.0\.1:(\d+)", line)
    check(m, line, s.log())
    s.device_port, s.api_port = int(m.group(1)), int(m.group(2))


def status_of(pid):
    with open("/proc/%d/status" % pid) as f:
        return {k: v.split() for k, v in (l.rstrip("\n").split(":", 1) for l in f)}


def is_plain_user(pid):
    """All four ids and the groups are the user's, nothing of root is left, and nothing can come back."""
    p = pwd.getpwnam(USER)
    st = status_of(pid)
    same(st["Name"], ["eimd"])
    same(st["Uid"], [str(p.pw_uid)] * 4)
    same(st["Gid"], [str(p.pw_gid)] * 4)
    same(sorted(map(int, st["Groups"])), sorted({p.pw_gid} | {g.gr_gid for g in grp.getgrall() if USER in g.gr_mem}))
    for caps in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
        same(int(st[caps][0], 16), 0, caps)
    same(st["NoNewPrivs"], ["1"])


def only_root():
    if os.geteuid() != 0:
        raise Skip("needs root: it becomes another user")


def writes(s, number):
    same(s.api("POST", "/v1/devices", {"eid": eid(number)}).status, 201)
    same(s.get("/v1/devices/" + eid(number))["eid"], eid(number))


def give(d):
    p = pwd.getpwnam(USER)
    os.chmod(os.path.dirname(d), 0o711)
    for folder, names, files in os.walk(d):
        for path in [folder] + [os.path.join(folder, f) for f in files]:
            os.lchown(path, p.pw_uid, p.pw_gid)


@case
def started_by_root_it_becomes_the_user_of_the_settings():
    only_root()
    d = made()
    conf_of(d, "[server]\nuser = %s\n" % USER)
    refused(run(EIMD, "--data", d, *ANY_PORTS), 2, "must belong to " + USER)
    give(d)
    s = bare(d)
    launch(s, EIMD)
    is_plain_user(s.pid)
    writes(s, 2)
    for name, (mode, uid, content) in tree(d).items():
        same(uid, pwd.getpwnam(USER).pw_uid, name, "belongs to the user")
    s.stop()
    conf_of(d, "[server]\nuser = no-such-account\n")
    refused(run(EIMD, "--data", d, *ANY_PORTS), 2, "no-such-account")


@case
def started_by_root_it_becomes_the_owner_of_the_data_directory():
    only_root()
    d = made()
    give(d)
    s = bare(d)
    launch(s, EIMD)
    is_plain_user(s.pid)
    writes(s, 3)
    s.stop()


@case
def an_ordinary_user_can_do_it_all():
    only_root()
    p = pwd.getpwnam(USER)
    home = tmpdir()
    exe = home + "/eimd"                # the build folder may be closed to others
    shutil.copy(EIMD, exe)
    os.chown(home, p.pw_uid, p.pw_gid)
    as_user = ("runuser", "-u", USER, "--")
    done = run(*as_user, exe, "init", "--data", home + "/data")
    same(done.status, 0, done)
    s = bare(home + "/data")
    launch(s, "setpriv", "--reuid", USER, "--regid", str(p.pw_gid), "--init-groups", exe)
    is_plain_user(s.pid)
    writes(s, 4)
    s.stop()
    check("running as" not in s.log(), "it had nothing to give up", s.log())


@case
def a_server_of_nobody_special_has_no_new_privileges_and_no_core():
    s = Eimd()
    same(status_of(s.pid)["NoNewPrivs"], ["1"])
    limits = open("/proc/%d/limits" % s.pid).read()
    soft, hard = re.search(r"^Max core file size +(\S+) +(\S+)", limits, re.M).groups()
    check(int(soft) <= 1 and int(hard) <= 1, limits)
    s.stop()


# ---------------------------------------------------------------- restored, tokens, the end

@case
def restored_raises_every_counter_by_a_thousand_once():
    s = Eimd()
    want = {eid(n): n * 7 for n in range(30)}
    for e, counter in want.items():
        same(s.api("POST", "/v1/devices", {"eid": e, "counter": counter}).status, 201)

    def counters():
        return {d["eid"]: d["association"]["counter"] for d in s.get("/v1/devices")["items"]}

    same(counters(), want)
    s.args = ["--restored"]
    s.restart()
    same(counters(), {e: c + 1000 for e, c in want.items()})
    check("restored" in s.log(), "the log says so")
    s.args = []
    s.restart()
    same(counters(), {e: c + 1000 for e, c in want.items()}, "not again without the option")
    s.stop()


@case
def tokens_that_were_revoked_or_have_expired_are_refused():
    s = Eimd()
    now = int(time.time() * 1e6)
    no = s.api("GET", "/v1/devices", token="eimd_" + "0" * 64)
    same(no.status, 401)

    def answers_after(change, *values):
        s.stop()
        same(sql(s.dir, "UPDATE token SET " + change, *values), 1)
        s.start()
        return s.api("GET", "/v1/devices")

    for change, values in (("revoked_us = ?", (now - 1,)), ("revoked_us = 0, expires_us = ?", (now - 1,)),
                           ("expires_us = 0, revoked_us = ?", (1,))):
        r = answers_after(change, *values)
        same((r.status, r.body, r.headers["WWW-Authenticate"]), (401, no.body, "Bearer"), change, "no hint what is wrong")
    same(answers_after("revoked_us = 0, expires_us = ?", now + 10 ** 12).status, 200, "one that will expire is taken")
    same(answers_after("role = 'nothing'").status, 401, "a role that nobody knows may nothing")
    same(answers_after("role = 'administrator', expires_us = 0").status, 200)
    s.stop()


@case
def both_signals_end_it_with_status_0():
    s = Eimd()
    for number in (signal.SIGTERM, signal.SIGINT):
        if not s.running():
            s.start()
        idle = s.device()               # a kept-alive connection must not hold it up
        same(idle.request("GET", "/").status, 404)
        s.signal(number)
        same(s.process.wait(STOP_SECONDS), 0)
        s.process = None
        idle.close()
    check(s.log().count("stopped") >= 2, s.log())


@case
def a_bad_setting_at_reload_changes_nothing():
    s = Eimd()
    s.set("log.level", "loud")
    s.reload()
    wait_for(lambda: "reload refused" in s.log(), "the refusal")
    check("log.level is 'loud'" in s.log(), s.log())
    same(s.get("/readyz")["status"], "ready")
    s.set("log.level", "debug")
    s.set("api.workers", "3")
    s.reload()
    wait_for(lambda: "read again" in s.log(), "the reload")
    check("api.workers has changed: it takes effect at the next start" in s.log(), s.log())
    s.stop()


@case
def no_secret_is_in_the_log_at_debug_level():
    s = Eimd(settings={"log.level": "debug", "eim.enrol_unknown": "yes"}, start=False)
    pki = tmpdir()
    same(run(program("eimsim"), "pki", "--out", pki + "/pki").status, 0)
    shutil.copy(pki + "/pki/ci.pem", s.dir + "/trust/ci.pem")
    s.start()
    code = "1$smdp.example.com$SECRET-MATCHING-ID"
    wrong = "eimd_" + "5a" * 32
    same(s.api("POST", "/v1/devices", {"eid": eid(5)}).status, 201)
    same(s.api("POST", "/v1/devices/%s/operations" % eid(5), {"download": {"activation_code": code}}).status, 201)
    same(s.api("POST", "/v1/devices/%s/operations" % eid(5), {"download": {"activation_code": code, "x": 1}}).status, 400)
    same(s.api("POST", "/v1/devices", b'{"eid":"' + s.token.encode()).status, 400)
    same(s.api("GET", "/v1/devices", token=wrong).status, 401)
    same(s.api("GET", "/v1/devices?token=" + s.token).status, 400)
    for n in (5, 6, 5):
        same(s.esipa(get_eim_package(eid(n))).status, 200)
    with open(pki + "/add.der", "wb") as f:
        f.write(s.api("GET", "/v1/eim/configuration.der").body)
    cards = run(program("eimsim"), "fleet", "--url", "https://127.0.0.1:%d" % s.device_port, "--cacert", s.ca, "--pki", pki + "/pki", "--eim-config",
                pki + "/add.der", "--devices", "2", "--interval", "100", "--until-idle", "--seconds", "55")
    same(cards.status, 0, cards)
    check(s.metrics()["eimd_results_verified_total"] >= 2, "packages were signed and answered", s.metrics())
    same(s.api("GET", "/readyz").status, 200)
    s.reload()
    wait_for(lambda: "read again" in s.log(), "the reload")
    s.stop()
    log = s.log()
    check("debug" in log.lower(), "the log is at debug level", log)
    check("/readyz" in log, "quiet routes are told at debug level", log)
    secrets = {"the token": s.token, "its digits": s.token.split("_")[1], "a wrong token": wrong, "the activation code": "SECRET-MATCHING-ID"}
    for name in ("keys/eim.pem", "tls/key.pem"):
        text = open(s.dir + "/" + name).read()
        der = b64("".join(l for l in text.splitlines() if not l.startswith("-")))
        scalar = tlv_find(tlv_find(tlv_find(der, "30", "04"), "30"), "04") if tlv_find(der, "30", "04") else None
        check(scalar and len(scalar) == 32, name, "holds a private scalar")
        secrets[name] = scalar.hex()
        secrets[name + " in base64"] = text.splitlines()[1]
    c = sqlite3.connect(s.dir + "/eimd.db")
    secrets["the token's digest"] = c.execute("SELECT hash FROM token").fetchone()[0].hex()
    secrets["the association key"] = c.execute("SELECT association_key FROM eim_identity").fetchone()[0].hex()
    c.close()
    for what, value in secrets.items():
        check(value.lower() not in log.lower(), what, "is in the log")


main()
