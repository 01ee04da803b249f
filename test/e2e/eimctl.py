"""eimctl as people and programs use it: the offline tools over all vectors, and the rest against a real eimd."""
import http.server
from concurrent.futures import ThreadPoolExecutor

from lib import *

CTL = program("eimctl")
server = Eimd()
POOL = ThreadPoolExecutor(2)


def ctl(*args, input=b"", env=None):
    """Without a server and without the caller's settings."""
    clean = {"HOME": os.path.dirname(server.dir), "EIMCTL_URL": "", "EIMCTL_TOKEN": "", "EIMCTL_CACERT": ""}
    return run(CTL, *args, input=input, env=dict(clean, **(env or {})))


def refused(done, *words):
    """Status 1, and one sentence on standard error that holds these words."""
    same(done.status, 1, done)
    check(done.err.startswith(b"eimctl: "), done)
    for w in words:
        check(w.encode() in done.err, "no", w, "in", done)


def file(name, content):
    path = os.path.join(tmpdir(), name)
    with open(path, "wb") as f:
        f.write(content if isinstance(content, bytes) else content.encode())
    return path


# ---------------------------------------------------------------- expressions

@case
def expressions_are_evaluated_with_their_type_or_refused_with_their_place():
    device = file("device.json", json.dumps({"labels": {"site": "berlin"}, "polls": 3, "profile.enabled.operator": "A"}))
    same(ctl("expr", "eval", "labels.site == 'berlin' && profile.enabled.operator == 'A' ? polls + 1 : 0", "--vars", device).text, "4 : int\n")
    same(ctl("expr", "eval", "[timestamp('2026-01-01T00:00:00Z') + duration('1h'), duration('90s')]").text, '["2026-01-01T01:00:00Z","90s"] : list\n')
    same(json.loads(ctl("expr", "eval", "labels", "--vars", "-", "--json", input=b'{"labels":{"a":1}}').text), {"value": {"a": 1}, "type": "map", "cost": 1})
    refused(ctl("expr", "eval", "1 +\n nope"), "2:2: nothing is known by the name 'nope'")
    refused(ctl("expr", "eval", "1 / 0"), "1:3: division by zero")
    refused(ctl("expr", "eval", "'a' < 1"), "1:5: '<' cannot be applied to (string, int)")
    same(ctl("expr", "eval", "1", "--vars", file("broken.json", "{")).status, 2)


# ---------------------------------------------------------------- decode and encode

def without_the_stray_member(v):
    """Three values of esipa.json hold eutranSupportedRelease, which neither the ASN.1 nor their own DER (A1 00) has."""
    if isinstance(v, dict):
        return {k: without_the_stray_member(x) for k, x in v.items() if k != "eutranSupportedRelease"}
    return [without_the_stray_member(x) for x in v] if isinstance(v, list) else v


@case
def every_message_of_the_vectors_decodes_to_its_value_and_encodes_to_its_octets():
    def one(v):
        value = without_the_stray_member(v["value"])
        for args in (["--type", v["type"]], []):
            d = ctl("decode", "--json", *args, v["der"])
            check(d.status == 0, v["name"], d)
            same(d.json(), value, v["name"])
        e = ctl("encode", "--type", v["type"], input=json.dumps(value).encode())
        check(e.status == 0, v["name"], e)
        same(e.text.strip(), v["der"], v["name"])
        human = ctl("decode", "--type", v["type"], v["der"])
        check(human.status == 0 and human.text.startswith(v["type"]), v["name"], human)

    all_of_them = vectors("esipa.json")
    check(len(all_of_them) > 100, "vectors")
    list(POOL.map(one, all_of_them))


@case
def tolerated_and_answered_wire_forms_decode():
    def one(v):
        d = ctl("decode", "--json", "-", input=v["der"].encode())
        check(d.status == 0, v["name"], d)
        check(list(d.json())[0] in ("provideEimPackageResult", "getEimPackageRequest", "handleNotificationEsipa",
                                    "cancelSessionRequestEsipa"), v["name"], d)

    list(POOL.map(one, [v for v in vectors("wire-forms.json") if v["expect"] != "reject"]))


@case
def broken_messages_are_refused_with_field_offset_and_reason():
    def one(v):
        for args in ([], ["--type", "EsipaMessageFromIpaToEim"]):
            d = ctl("decode", "--json", *args, "-", input=v["der"].encode())
            same(d.status, 1, v["name"], d)
            same(d.out, b"", v["name"])
            e = json.loads(d.err)["error"]
            check(e["field"] and e["detail"] and e["clause"] and 0 <= e["offset"] <= len(v["der"]) // 2, v["name"], e)
            refused(ctl("decode", *args, "-", input=v["der"].encode()), e["field"], e["detail"], "at offset %d" % e["offset"])

    list(POOL.map(one, [v for v in vectors("wire-forms.json") if v["expect"] == "reject"]))


@case
def the_place_of_the_trouble_is_shown():
    """5A with 15 octets more than there are: offset 3, and the octets around it."""
    d = ctl("decode", "bf4f125a2089044045118427484800000000011628")
    refused(d, "getEimPackageRequest", "at offset 3", ">5a 20 89 04")


@case
def a_message_is_taken_as_hex_base64_file_or_standard_input():
    der = bytes.fromhex("bf4f125a1089044045118427484800000000011628")
    want = {"getEimPackageRequest": {"eidValue": "89044045118427484800000000011628"}}
    forms = [der, der.hex().encode(), der.hex(" ").upper().encode() + b"\n", der.hex(":").encode(), b"0x" + der.hex().encode(),
             base64.b64encode(der), base64.b64encode(der) + b"\n"]
    for form in forms:
        same(ctl("decode", "--json", file("message", form)).json(), want, "file", form)
        same(ctl("decode", "--json", "-", input=form).json(), want, "-", form)
        same(ctl("decode", "--json", input=form).json(), want, "no argument", form)
        if form is not der:
            same(ctl("decode", "--json", form.decode()).json(), want, "argument", form)
    refused(ctl("decode", "bf4f1"), "odd number of hex digits")
    refused(ctl("decode", "no/such/file.der"), "no such file")


@case
def people_see_eid_iccid_codes_and_tag_lists_by_name():
    result = next(v for v in vectors("esipa.json") if v["name"] == "provideEimPackageResult/epr/enable-fail")
    text = ctl("decode", result["der"]).text
    check(re.search(r"enableResult \[83\]: \d+  \([a-zA-Z]+\)", text), text)
    check(re.search(r"eidValue \[5A\]: \d{32}\n", text), text)
    order = next(v for v in vectors("esipa.json") if v["name"] == "getEimPackageResponse/psmo/enable")
    digits = order["value"]["getEimPackageResponse"]["euiccPackageRequest"]["euiccPackageSigned"]["euiccPackage"]["psmoList"][0]
    raw = digits["enable"]["iccid"]
    people = "".join(raw[i + 1] + raw[i] for i in range(0, 20, 2)).rstrip("fF")
    check("iccid [5A]: " + people in ctl("decode", order["der"]).text, people)
    request = next(v for v in vectors("esipa.json") if v["name"] == "getEimPackageResponse/ipaEuiccDataRequest/certs")
    check("eumCertificate" in ctl("decode", request["der"]).text, "tag list")


@case
def text_of_strangers_cannot_steer_the_terminal():
    v = {"eimConfigurationDataList": [{"eimId": "evil\u001b[2J\u202e\u009b"}]}
    der = ctl("encode", "--type", "AddInitialEimRequest", input=json.dumps(v).encode())
    same(der.status, 0, der)
    shown = ctl("decode", der.text.strip())
    same(shown.status, 0)
    check("\\x1b[2J\\xe2\\x80\\xae\\xc2\\x9b" in shown.text and b"\x1b" not in shown.out, shown)


@case
def types_are_listed_and_unknown_ones_refused_by_name():
    names = ctl("decode", "--types").text
    for n in ("EuiccPackageRequest", "EsipaMessageFromIpaToEim", "AddInitialEimRequest"):
        check(re.search(r"^%s " % n, names, re.M), n)
    for line in ctl("decode", "--types", "--json").text.splitlines():
        json.loads(line)
    d = ctl("decode", "--type", "Nonsense", "30")
    same(d.status, 2)
    check(b"Nonsense" in d.err, d)
    same(ctl("encode", "--type", "Nonsense", input=b"{}").status, 2)


@case
def encode_names_the_member_that_is_wrong():
    def one(value, *words):
        refused(ctl("encode", "--type", "EsipaMessageFromIpaToEim", input=json.dumps(value).encode()), *words)
    one({"getEimPackageRequest": {"eidValue": "8904", "frob": 1}}, "frob")
    one({"getEimPackageRequest": {"eidValue": "xyz"}}, "eidValue")
    one({"getEimPackageRequest": {"eidValue": "8904404511842748480000000001162800"}, "cancelSession": {}}, "exactly one alternative")
    refused(ctl("encode", "--type", "EsipaMessageFromIpaToEim", input=b'{"getEimPackageRequest":'), "line 1")
    refused(ctl("encode", "--type", "EsipaMessageFromIpaToEim", input=b"[" * 100), "nested")


# ---------------------------------------------------------------- verify-result

def verify(v, result, *more, pem=False):
    def certificate(hexa):
        der = bytes.fromhex(hexa)
        return ssl.DER_cert_to_PEM_cert(der) if pem else der
    return ctl("verify-result", "--ci", file("ci", certificate(v["ci_cert"])), "--eum", file("eum", certificate(v["eum_cert"])),
               "--euicc", file("euicc", certificate(v["euicc_cert"])), "--eid", v["eid"],
               "--token", str(v.get("association_token") or 0), *more, result)


@case
def good_results_and_signed_errors_verify_and_bad_ones_say_what_fails():
    some = next(v for v in vectors("esep.json") if v["expect"] == "accept" and "result" in v)

    def one(v):
        why = v["expect"].partition("reject: ")[2]
        chain_only = "result" not in v
        d = verify(v, some["result"] if chain_only else v["result"])
        j = verify(v, some["result"] if chain_only else v["result"], "--json").json()
        if chain_only:          # the result of another card: its signature cannot be good
            same(j["chain"].get("detail", ""), why, v["name"])
            same((j["verified"], j["signature"]["ok"], d.status), (False, False, 1), v["name"])
        elif why == "signature":
            same((j["verified"], j["chain"]["ok"], j["signature"]["code"], d.status), (False, True, "E_SIGNATURE", 1), v["name"])
            check(re.search(r"^chain +good$", d.text, re.M) and re.search(r"^signature +FAILED: .*SGP\.32 2\.11\.2\.1", d.text, re.M), d)
        else:
            same((why, j["verified"], d.status), ("", True, 0), v["name"], d)
            check(d.text.endswith("\nverified\n"), v["name"], d)
            error = verify(v, v["error_result"])
            check(error.status == 0 and "euiccPackageErrorSigned" in error.text, v["name"], error)
        if why and why != "signature":
            check(why.encode() in d.out and b"NOT VERIFIED" in d.out and why.encode() in d.err, v["name"], d)

    list(POOL.map(one, vectors("esep.json")))


@case
def pem_envelopes_other_eids_and_unsigned_errors():
    v = next(v for v in vectors("esep.json") if v["expect"] == "accept" and "result" in v)
    same(verify(v, v["result"], pem=True).status, 0, "PEM")
    same(verify(v, file("result", bytes.fromhex(v["result"]))).status, 0, "DER file")
    bf50 = tlv("BF50", tlv("5A", v["eid"]), v["result"])
    same(verify(v, bf50.hex()).status, 0, "BF50")
    same(verify(v, tlv("BF3D", bf50).hex()).status, 0, "BF3D")
    same(verify(v, tlv("BF50", tlv("30", v["result"], tlv("A0"))).hex()).status, 0, "ePRAndNotifications")
    other = tlv("BF50", tlv("5A", eid(1)), v["result"])
    refused(verify(v, other.hex()), "eidValue")
    refused(verify(v, tlv("BF51", tlv("A2", tlv("80", b"eim"))).hex()), "unsigned")
    refused(verify(v, "bf4f125a1089044045118427484800000000011628"), "no eUICC package result")
    refused(verify(v, v["result"][:-2]), "runs past the end")
    refused(verify(v, v["result"], "--at", "1999-01-01T00:00:00Z"), "CI certificate not yet valid")
    refused(ctl("verify-result", "--ci", file("ci", b"rubbish"), "--eum", "/dev/null", "--euicc", "/dev/null", "--eid", v["eid"], "30"), "--ci")


# ---------------------------------------------------------------- usage and settings

@case
def wrong_usage_is_named_and_ends_with_2():
    for args, word in ((["device", "list", "--frob"], "unknown option --frob"), (["device", "show"], "missing argument EID"),
                       (["device", "show", eid(1), "x"], "unexpected argument x"), (["frob"], "no command frob"),
                       (["device", "frob"], "no command frob"), (["device", "list", "--limit"], "--limit"),
                       (["device", "list", "--limit", "0"], "--limit"), (["device", "list", "--limit", "1", "--limit", "2"], "more than one --limit"),
                       (["device", "list", "--all=yes"], "no value"), (["encode"], "missing option --type"),
                       (["operation", "create", eid(1)], "nothing is ordered"),
                       (["operation", "create", eid(1), "--enable", "89490010000000000001", "--list-eim"], "2.11.1.1"),
                       (["operation", "create", eid(1), "--rollback"], "--rollback"),
                       (["operation", "create", eid(1), "--rat", "--expires", "soon"], "--expires"),
                       (["--frob", "device", "list"], "unknown option --frob"), (["device", "import", "x.txt"], ".csv or .jsonl")):
        d = ctl(*args)
        same((d.status, d.out), (2, b""), args, d)
        check(word.encode() in d.err, args, d)
    for args in (["--help"], ["help"], ["device", "--help"], ["device", "list", "--help"]):
        d = ctl(*args)
        check(d.status == 0 and b"device list" in d.out, args, d)
    same(ctl().status, 2)


@case
def no_server_at_all_is_2_and_a_dead_one_is_3():
    d = run(CTL, "health", env={"HOME": tmpdir(), "EIMCTL_URL": "", "EIMCTL_TOKEN": ""})
    same(d.status, 2, d)
    d = ctl("health", "--url", "https://127.0.0.1:1")
    same(d.status, 3, d)
    same(json.loads(ctl("health", "--json", "--url", "https://127.0.0.1:1").err)["error"]["code"], "E_IO")
    same(ctl("health", "--url", "http://127.0.0.1:1").status, 2)


@case
def settings_are_found_in_their_order_and_a_token_stays_with_its_server():
    url = "https://127.0.0.1:%d" % server.api_port
    home = tmpdir()
    os.mkdir(home + "/.config")
    conf = home + "/.config/eimctl.conf"

    def write(text, mode=0o600):
        with open(conf, "w") as f:
            f.write(text)
        os.chmod(conf, mode)

    def there(*args, **env):
        return run(CTL, *args, env=dict({"HOME": home, "EIMCTL_URL": "", "EIMCTL_TOKEN": "", "EIMCTL_CACERT": ""}, **env))

    write("# ours\nurl = %s/\ntoken = %s\ncacert = %s\n" % (url, server.token, server.ca))
    same(there("device", "list").status, 0)
    write("url = %s\ntoken = %s\ncacert = %s\n" % (url, server.token, server.ca), 0o644)
    d = there("device", "list")
    check(d.status == 2 and b"0600" in d.err, d)
    write("url = https://127.0.0.1:1\ntoken = %s\ncacert = %s\n" % (server.token, server.ca))
    d = there("device", "list", "--cacert", server.ca, EIMCTL_URL=url)      # another server: not with that token
    check(d.status == 1 and b"bearer token" in d.err, d)
    same(there("device", "list", EIMCTL_URL=url, EIMCTL_TOKEN=server.token, EIMCTL_CACERT=server.ca).status, 0)
    write("url = x\nfrob = 1\n")
    d = there("device", "list")
    check(d.status == 2 and b"eimctl.conf:2" in d.err and b"frob" in d.err, d)
    os.unlink(conf)
    place = tmpdir()                                                        # a demo beside us
    os.symlink(server.dir, place + "/demo")
    d = subprocess.run([CTL, "device", "list"], cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       env={"HOME": home, "PATH": os.environ["PATH"]})
    same(d.returncode, 0, d)
    token = file("token", server.token + "\n")
    d = there("device", "list", "--url", url, "--cacert", server.ca, "--token-file", token)
    check(d.status == 2 and b"0600" in d.err, d)
    os.chmod(token, 0o600)
    same(there("device", "list", "--url", url, "--cacert", server.ca, "--token-file", token).status, 0)


# ---------------------------------------------------------------- devices and operations

@case
def a_device_is_added_shown_listed_and_deleted():
    e = eid(10)
    key = subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout"], stdout=subprocess.PIPE).stdout
    pub = run("openssl", "ec", "-pubout", input=key).out
    made = server.eimctl("device", "add", e, "--label", "site=hall-3", "--label", "note=\u202ex", "--pin", file("k.pem", pub),
                         "--token", "5", "--counter", "7")
    same(made.status, 0, made)
    d = server.get("/v1/devices/" + e)
    same((d["verification"], d["association"], d["labels"]), ("pinned", {"counter": 7, "token": 5}, {"site": "hall-3", "note": "\u202ex"}))
    shown = server.eimctl("device", "show", e)
    check(shown.status == 0 and "site=hall-3" in shown.text and "pinned" in shown.text and "\\xe2\\x80\\xae" in shown.text, shown)
    same(server.eimctl("device", "show", e, "--json").json(), d)
    der = run("openssl", "ec", "-pubout", "-outform", "DER", input=key).out
    same(server.eimctl("device", "add", eid(11), "--pin", file("k.der", der)).status, 0)
    same(server.get("/v1/devices/" + eid(11))["verification"], "pinned")
    refused(server.eimctl("device", "add", e), "already")
    refused(server.eimctl("device", "add", e[:-1] + "x"), "eid")
    rows = server.eimctl("device", "list", "--json").text.splitlines()
    same({json.loads(r)["eid"] for r in rows}, {eid(10), eid(11)})
    table = server.eimctl("device", "list").text.splitlines()
    check(len(table) == 3 and table[0].startswith("EID ") and len({l.index("pinned") for l in table[1:]}) == 1, table)
    for n in (10, 11):
        same(server.eimctl("device", "delete", eid(n)).status, 0)
    refused(server.eimctl("device", "show", e), "no such device")


@case
def operations_are_ordered_as_written_listed_shown_and_cancelled():
    e = eid(20)
    a, b = "8949001000000000001", "8949002000000000002"
    server.post("/v1/devices", {"eid": e})
    made = server.eimctl("operation", "create", e, "--enable", b, "--rollback", "--delete", a, "--expires", "2h", "--json",
                         "--override", "no_enabled_profile", "--override", "last_way_to_eim")
    same(made.status, 0, made)
    o = made.json()
    steps = server.get("/v1/operations/" + o["id"])["steps"]
    same([(s["op"], s.get("iccid"), s.get("rollback")) for s in steps],
         [("enable", b, True), ("delete", a, None)])
    check(o["expires_at"], o)
    shown = server.eimctl("operation", "show", o["id"])
    check(shown.status == 0 and b in shown.text and "pending" in shown.text, shown)
    listed = server.eimctl("operation", "list", "--device", e)
    check(o["id"] in listed.text, listed)
    same([json.loads(l)["id"] for l in server.eimctl("operation", "list", "--state", "pending", "--json").text.splitlines()], [o["id"]])
    refused(server.eimctl("operation", "wait", o["id"], "--timeout", "0"), "pending")
    refused(server.eimctl("operation", "package", o["id"]), "")
    same(server.eimctl("operation", "cancel", o["id"]).status, 0)
    done = server.eimctl("operation", "wait", o["id"])
    check(done.status == 1 and "cancelled" in done.text, done)
    for args, op in ((["--rat"], {"op": "getRAT"}), (["--list"], {"op": "listProfileInfo"}), (["--default-dp", "dp.example.com"], {"op": "setDefaultDpAddress", "address": "dp.example.com"}),
                     (["--set-fallback", a], {"op": "setFallbackAttribute", "iccid": a}), (["--unset-fallback"], {"op": "unsetFallbackAttribute"}),
                     (["--immediate-enable", '{"enable":true}'], {"op": "configureImmediateEnable", "enable": True}),
                     (["--list-eim"], {"op": "listEim"}), (["--delete-eim", "other.example"], {"op": "deleteEim", "eim_id": "other.example"}),
                     (["--psmos", '[{"getRAT":{}}]'], {"op": "getRAT"}), (["--ecos", '[{"listEim":{}}]'], {"op": "listEim"})):
        made = server.eimctl("operation", "create", e, *args, "--json")
        same(made.status, 0, args, made)
        got = server.get("/v1/operations/" + made.json()["id"])["steps"]
        same(len(got), 1)
        for k, v in op.items():
            same(got[0].get(k), v, args)
        same(server.eimctl("operation", "cancel", made.json()["id"]).status, 0)
    d = server.eimctl("operation", "create", e, "--enable", "12")
    refused(d, "iccid")
    same(server.eimctl("inventory", e).status, 0)
    server.api("DELETE", "/v1/devices/" + e)


@case
def many_orders_come_from_a_file_or_standard_input():
    good = [eid(n) for n in range(30, 35)]
    for e in good:
        server.post("/v1/devices", {"eid": e})
    lines = [json.dumps({"eid": e, "psmos": [{"getRAT": {}}]}) for e in good[:4]]
    lines += ["", json.dumps({"eid": eid(99), "psmos": [{"getRAT": {}}]}), "{", json.dumps({"psmos": []})]
    d = server.eimctl("operation", "create", "-", input="\n".join(lines).encode())
    same((d.status, d.text), (1, "4 created, 3 refused\n"), d)
    for word in ("standard input:6: ", "standard input:7: ", "standard input:8: "):
        check(word in d.err.decode(), word, d)
    d = server.eimctl("operation", "create", file("orders.jsonl", json.dumps({"eid": good[4], "ecos": [{"listEim": {}}]}) + "\n"))
    same((d.status, d.text), (0, "1 created, 0 refused\n"), d)
    same(len(server.get("/v1/operations?state=pending")["items"]), 5)
    for e in good:
        server.api("DELETE", "/v1/devices/" + e)


@case
def lists_follow_their_pages():
    want = [eid(n) for n in range(1000, 1023)]
    d = server.eimctl("device", "import", file("d.jsonl", "".join('{"eid":"%s"}\n' % e for e in want)))
    same(d.status, 0, d)
    few = server.eimctl("device", "list", "--limit", "5", "--json")
    same(len(few.text.splitlines()), 5)
    check(b"there are more" in server.eimctl("device", "list", "--limit", "5").err, "hint")
    many = server.eimctl("device", "list", "--all", "--json")
    same(sorted(json.loads(l)["eid"] for l in many.text.splitlines()), sorted(want))
    entries = server.eimctl("audit", "list", "--all", "--json").text.splitlines()
    check(sum(1 for l in entries if json.loads(l)["action"] == "device.enrolled") >= len(want), "audit")


@case
def the_server_as_a_whole():
    same(server.eimctl("health").status, 0)
    same(server.eimctl("health", "--json").json(), {"live": True, "ready": True})
    m = server.eimctl("metrics", "--json").json()
    check("eimd_polls_total" in m, m)
    check(b"# TYPE" in server.eimctl("metrics").out, "text")
    c = server.eimctl("eim", "config", "--json").json()
    same(c["association_token"], -1)
    path = os.path.join(tmpdir(), "blob.der")
    same(server.eimctl("eim", "config", "--der", path).status, 0)
    blob = ctl("decode", "--json", path).json()
    same(blob["eimConfigurationDataList"][0]["eimId"], c["eim_id"])
    same(server.eimctl("eim", "config", "--der", path).status, 1, "never over an existing file")


# ---------------------------------------------------------------- import

def rejected(path):
    with open(path + ".rejected") as f:
        return [json.loads(l) for l in f]


@case
def an_import_reports_each_refused_line_of_the_file():
    lines = ['{"eid":"%s","labels":{"n":"%d"}}' % (eid(2000 + n), n) for n in range(2500)]
    bad = {7: '{"eid":"123"}', 1000: "nonsense", 1001: '{"eid":"%s","frob":1}' % eid(1), 2500: '{"labels":{}}'}
    for n, text in bad.items():
        lines[n - 1] = text
    lines.insert(5, "")         # an empty line counts as a line of the file
    path = file("devices.jsonl", "\n".join(lines))
    d = server.eimctl("device", "import", path)
    same((d.status, d.text.split(":")[0]), (1, "2496 enrolled, 0 there already, 4 refused"), d)
    got = rejected(path)
    same([r["line"] for r in got], [8, 1001, 1002, 2501])
    check(all(r["reason"] and r["code"] for r in got) and got[2]["field"] == "frob", got)
    same(server.get("/v1/devices/" + eid(2000 + 2498))["labels"], {"n": "2498"})
    again = server.eimctl("device", "import", path, "--json")
    same((again.status, again.json()["existing"], again.json()["enrolled"], again.json()["refused"]), (1, 2496, 0, 4), again)


@case
def csv_rows_keep_their_line_numbers_over_quoted_line_ends():
    rows = ["\ufeffeid,label.site,label.note"]
    rows += ['%s,hall,"two\nlines, and ""quotes"""' % eid(5000), "123,x,y", "%s,a\"b,plain" % eid(5001), "%s,short" % eid(5002),
             '%s,hall,"then' % eid(5003) + '\n\nthree"', "456,x,y", '"%s"x,y,z' % eid(5004), "%s,last,one" % eid(5005)]
    path = file("devices.csv", "\r\n".join(rows))
    d = server.eimctl("device", "import", path)
    same((d.status, d.text.split(":")[0]), (1, "4 enrolled, 0 there already, 4 refused"), d)
    same([r["line"] for r in rejected(path)], [4, 6, 10, 11], rejected(path))
    same(server.get("/v1/devices/" + eid(5000))["labels"]["note"], 'two\nlines, and "quotes"')
    same(server.get("/v1/devices/" + eid(5001))["labels"]["site"], 'a"b')
    d = server.eimctl("device", "import", file("wrong.csv", "eid,frob\n%s,1\n" % eid(5006)))
    refused(d, "frob")


@case
def lines_without_end_and_quotes_without_end_are_refused_alone():
    path = file("long.jsonl", '{"eid":"%s"}\n{"eid":"%s","x":"%s"}\n{"eid":"%s"}\n' % (eid(5100), eid(5101), "y" * 200000, eid(5102)))
    d = server.eimctl("device", "import", path)
    same((d.status, d.text.split(":")[0]), (1, "2 enrolled, 0 there already, 1 refused"), d)
    same([r["line"] for r in rejected(path)], [2])
    path = file("quote.csv", "eid,label.a\n%s,\"open\n" % eid(5103) + "".join("%s,x\n" % eid(5200 + n) for n in range(3000)))
    d = server.eimctl("device", "import", path)
    same((d.status, d.text.split(":")[0]), (1, "3000 enrolled, 0 there already, 1 refused"), d)
    same([r["line"] for r in rejected(path)], [2])


@case
def standard_input_is_imported_too():
    d = server.eimctl("device", "import", "-", input=b'{"eid":"%s"}\nbad\n' % eid(9300).encode())
    same((d.status, d.text), (1, "1 enrolled, 0 there already, 1 refused\n"), d)
    check(b'"line": 2' in d.err or b'"line":2' in d.err, d)
    same(server.eimctl("device", "import", "-", "--resume").status, 2)


class Recorder(http.server.BaseHTTPRequestHandler):
    """Plays eimd's import: notes every batch; after `good` ones it drops connections instead of answering."""
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        s = self.server
        if s.busy:
            s.busy -= 1
            self.send_response(503)
            self.send_header("Retry-After", "0")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if len(s.batches) == s.good:
            s.dropped.append(body)
            self.close_connection = True
            return
        s.batches.append(body)
        n = len([l for l in body.splitlines() if l.strip()]) - (self.headers["Content-Type"] == "text/csv")
        reply = json.dumps({"enrolled": n, "existing": 0, "refused": 0, "lines": []}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *_):
        pass


class Recording:
    def __init__(self, good=-1):
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(server.dir + "/tls/cert.pem", server.dir + "/tls/key.pem")
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.http.batches, self.http.dropped, self.http.good, self.http.busy = [], [], good, 0
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def ctl(self, *args):
        return ctl(*args, env={"EIMCTL_URL": "https://127.0.0.1:%d" % self.http.server_port, "EIMCTL_TOKEN": "t", "EIMCTL_CACERT": server.ca})


@case
def batches_stay_within_their_ceilings():
    r = Recording()
    path = file("big.jsonl", "".join('{"eid":"%s","labels":{"a":"%s"}}\n' % (eid(n), "x" * (n % 50) * 40) for n in range(3000)))
    same(r.ctl("device", "import", path).status, 0)
    same(b"".join(r.http.batches).decode(), open(path).read(), "all lines, once, in order")
    check(all(len(b) <= 1 << 20 and b.count(b"\n") <= 1000 for b in r.http.batches), [len(b) for b in r.http.batches])
    r = Recording()
    path = file("small.csv", "eid\n" + "".join(eid(n) + "\n" for n in range(95)))
    same(r.ctl("device", "import", path, "--batch", "10").status, 0)
    same((len(r.http.batches), {b.splitlines()[0] for b in r.http.batches}), (10, {b"eid"}))
    same(b"".join(b.split(b"\n", 1)[1] for b in r.http.batches).decode(), open(path).read()[4:])


@case
def resuming_never_sends_a_finished_batch_twice():
    for name, head in (("d.jsonl", ""), ("d.csv", "eid\n")):
        r = Recording(good=3)
        form = '{"eid":"%s"}\n' if name.endswith("jsonl") else "%s\n"
        path = file(name, head + "".join(form % eid(n) for n in range(100)))
        d = r.ctl("device", "import", path, "--batch", "10")
        same(d.status, 3, d)
        check(b"--resume" in d.err and r.http.dropped, d)
        r.http.good = -1
        refused(r.ctl("device", "import", path, "--batch", "10"), "--resume")
        same(len(r.http.batches), 3, "nothing was sent without --resume")
        d = r.ctl("device", "import", path, "--batch", "10", "--resume", "--json")
        same((d.status, d.json()["enrolled"]), (0, 100), d)
        same(len(r.http.batches), 10)
        same(r.http.batches[3], r.http.dropped[0], "the unfinished batch comes again")
        same(b"".join(b[len(head):] for b in r.http.batches).decode(), open(path).read()[len(head):])
        d = r.ctl("device", "import", path, "--resume")
        same((d.status, len(r.http.batches)), (0, 10), "a finished import sends nothing", d)


@case
def a_busy_server_is_asked_again_and_in_the_end_given_up():
    r = Recording()
    path = file("d.jsonl", '{"eid":"%s"}\n' % eid(1))
    r.http.busy = 2
    d = r.ctl("device", "import", path)
    check(d.status == 0 and d.err.count(b"503") == 2 and len(r.http.batches) == 1, d)
    os.unlink(path + ".eimctl-state")
    r.http.busy = 1000
    d = r.ctl("device", "import", path)
    same((d.status, 1000 - r.http.busy, len(r.http.batches)), (1, 5, 1), d)


@case
def a_changed_file_and_another_server_are_noticed():
    r = Recording(good=2)
    path = file("d.jsonl", "".join('{"eid":"%s"}\n' % eid(n) for n in range(100)))
    same(r.ctl("device", "import", path, "--batch", "10").status, 3)
    r.http.good = -1
    text = open(path).read()
    with open(path, "w") as f:
        f.write(text[:20] + "7" + text[21:])
    refused(r.ctl("device", "import", path, "--resume"), "changed")
    with open(path, "w") as f:
        f.write(text[:100])
    refused(r.ctl("device", "import", path, "--resume"), "shorter")
    with open(path, "w") as f:
        f.write(text + '{"eid":"%s"}\n' % eid(500))         # more at the end is what files do while they are made
    refused(Recording().ctl("device", "import", path, "--resume"), "another server")
    same(r.ctl("device", "import", path, "--batch", "10", "--resume").status, 0)
    same(b"".join(r.http.batches).decode(), open(path).read())


@case
def manual_and_completion_are_made_of_the_table():
    usage = ctl("--help").text
    rows = [line.split() for line in re.findall(r"^  eimctl (.+)$", usage, re.M)]
    page = ctl("manual")
    same(page.status, 0, page)
    if shutil.which("groff"):                           # else the page is only looked at
        made = subprocess.run(["groff", "-man", "-Tascii", "-ww"], input=page.text.encode(), capture_output=True)
        same((made.returncode, made.stderr), (0, b""))
    plain = page.text.replace("\\-", "-")
    check(all(name in plain for name in ("device list", "expr eval", "EXIT STATUS", "no answer from the server")), plain)
    groups = {r[0] for r in rows}
    script = ctl("completion").text

    def complete(*words):
        asked = script + "\nCOMP_WORDS=(%s); COMP_CWORD=%d; _eimctl; echo ${COMPREPLY[@]}" % (" ".join("'%s'" % w for w in words), len(words) - 1)
        done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True)
        same((done.returncode, done.stderr), (0, ""))
        return done.stdout.split()

    same(set(complete("eimctl", "")), groups | {"help"})
    same(complete("eimctl", "pool", "f"), ["fill"])
    same(complete("eimctl", "device", "list", "--wh"), ["--where"])
    check("--token-file" in complete("eimctl", "whoami", "--"))


@case
def an_import_that_was_killed_goes_on_and_all_devices_are_there():
    n = 6000
    path = file("many.jsonl", "".join('{"eid":"%s"}\n' % eid(100000 + i) for i in range(n)))
    env = {"EIMCTL_URL": "https://127.0.0.1:%d" % server.api_port, "EIMCTL_TOKEN": server.token, "EIMCTL_CACERT": server.ca,
           "HOME": tmpdir()}
    before = server.metrics()["eimd_enrolled_total"]
    p = subprocess.Popen([CTL, "device", "import", path, "--batch", "50"], env=dict(os.environ, **env), stdout=subprocess.DEVNULL)
    state = path + ".eimctl-state"
    wait_for(lambda: os.path.exists(state) and json.load(open(state))["offset"] > 0, "a finished batch", pause=0.005)
    p.kill()
    p.wait()
    done = json.load(open(state))
    check(0 < done["enrolled"] < n, done)
    d = run(CTL, "device", "import", path, "--batch", "50", "--resume", "--json", env=env)
    same(d.status, 0, d)
    j = d.json()
    same((j["enrolled"] + j["existing"], j["refused"]), (n, 0), j)
    check(j["existing"] <= 50, "only the unfinished batch was sent twice", j)
    same(server.metrics()["eimd_enrolled_total"] - before, n, "each device once")


main()
