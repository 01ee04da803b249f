"""ESipa in JSON against a real eimd: curl as a foreign IPA, and a simulated fleet that is switched over it."""
from lib import *

SEED, DEVICES = 77, 20
JSON_TYPE = "application/json;charset=UTF-8"
DONE = {"functionExecutionStatus": {"status": "Executed-Success"}}
server = Eimd(start=False)
pki = os.path.join(os.path.dirname(server.dir), "simulator")
made = run(program("eimsim"), "pki", "--out", pki)
same(made.status, 0, made)
shutil.copy(pki + "/ci.pem", server.dir + "/trust/simulator-ci.pem")
server.start()


def curl(function, body, *args):
    """Status, headers (lower-case names) and body of one POST by curl."""
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    d = server.curl("-i", "--http1.1", "-A", "gsma-rsp-ipad", "-H", "Content-Type: " + JSON_TYPE, "-H", "X-Admin-Protocol: gsma/rsp/v2.1.0",
                    "--data-binary", "@-", *args, path="/gsma/rsp2/esipa/" + function, input=body)
    same(d.status, 0, d)
    head, _, rest = d.out.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {k.lower(): v for k, v in (l.split(": ", 1) for l in lines[1:])}
    check(headers.get("x-admin-protocol", "").startswith("gsma/rsp/"), headers)
    return int(lines[0].split()[1]), headers, rest


def answered(function, body):
    status, headers, rest = curl(function, body)
    same(status, 200, rest)
    same(headers["content-type"], JSON_TYPE)
    return json.loads(rest)


def wrap(der):
    return base64.b64encode(der).decode()


# ---------------------------------------------------------------- by hand

NOBODY = eid(999)


@case
def get_eim_package_tells_its_errors_as_numbers():
    same(answered("getEimPackage", {"eidValue": NOBODY}), {"header": DONE, "eimPackageError": 2})
    same(answered("getEimPackage", {"eidValue": NOBODY[:-1]}), {"header": DONE, "eimPackageError": 3})
    same(answered("getEimPackage", {"header": {"functionRequesterIdentifier": "x"}, "newer": [1]}), {"header": DONE, "eimPackageError": 4})


@case
def both_spellings_of_a_result_are_one():
    error = tlv("A0", tlv("02", "7F"))
    for spelled in (error, tlv("BF50", error), tlv("BF50", tlv("5A", NOBODY), error)):
        r = answered("provideEimPackageResult", {"eidValue": NOBODY, "eimPackageResult": wrap(spelled)})
        same((r["header"]["functionExecutionStatus"]["status"], r["provideEimPackageResultError"]), ("Failed", 2))


@case
def handle_notification_is_answered_with_nothing():
    status, headers, rest = curl("handleNotification", {"provideEimPackageResult": wrap(tlv("BF50", tlv("A0", tlv("02", "7F"))))})
    same((status, rest), (204, b""))
    check("content-type" not in headers, headers)


@case
def the_relay_functions_fail_in_the_words_of_sgp22():
    for function, body in (("initiateAuthentication", {"euiccChallenge": wrap(bytes(16))}),
                           ("cancelSession", {"transactionId": "0A", "cancelSessionResponse": wrap(tlv("BF41", tlv("81", "05")))})):
        status = answered(function, body)["header"]["functionExecutionStatus"]
        same(status["status"], "Failed")
        same(sorted(status["statusCodeData"]), ["message", "reasonCode", "subjectCode"])
        check(status["statusCodeData"]["message"].endswith(")"), status)


@case
def what_is_wrong_is_refused_by_its_name():
    for function, body, word in (("getEimPackage", b"{", b"line 1"), ("getEimPackage", b'{"eidValue":"1","eidValue":"2"}', b"eidValue"),
                                 ("getEimPackage", {"eidValue": 5}, b"eidValue: not a string"),
                                 ("provideEimPackageResult", {"eimPackageResult": "#"}, b"eimPackageResult: no base64"),
                                 ("transferEimPackage", {}, b"transferEimPackage"), ("getEimPackage", b"[" * 5000, b"values"),
                                 ("getEimPackage", b"[" * 500, b"deeper")):
        status, headers, rest = curl(function, body)
        same(status, 413 if word == b"values" else 400, function, str(body)[:40], rest)
        check(word in rest, rest)
        same(headers["content-type"], JSON_TYPE)
    same(curl("nothing", {})[0], 404)
    same(curl("getEimPackage", {}, "-X", "PUT")[0], 405)
    same(server.esipa(b"{}", path="/gsma/rsp2/esipa/getEimPackage").status, 415)           # the ASN.1 binding's type
    same(server.esipa(b"x" * (300 * 1024), path="/gsma/rsp2/esipa/getEimPackage", headers={"Content-Type": JSON_TYPE}).status, 413)


# ---------------------------------------------------------------- a fleet

@case
def a_fleet_is_switched_in_json():
    listed = run(program("eimsim"), "enrolment", "--devices", DEVICES, "--seed", SEED, "--pki", pki)
    same(listed.status, 0, listed)
    work = tmpdir()
    with open(work + "/devices.jsonl", "wb") as f:
        f.write(listed.out)
    report = server.eimctl("device", "import", work + "/devices.jsonl", "--json")
    same(report.status, 0, report)
    same(report.json()["enrolled"], DEVICES)
    d = server.eimctl("eim", "config", "--der", work + "/add.der")
    same(d.status, 0, d)
    fleet = subprocess.Popen([program("eimsim"), "fleet", "--binding", "json", "--url", "https://127.0.0.1:%d" % server.device_port,
                              "--cacert", server.ca, "--pki", pki, "--eim-config", work + "/add.der", "--devices", str(DEVICES),
                              "--seed", str(SEED), "--threads", "4", "--interval", "300", "--loss", "2", "--json"],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        eids = [json.loads(l)["eid"] for l in listed.text.splitlines()]

        def profiles(e):
            return {p["provider"]: p["iccid"] for p in server.get("/v1/devices/" + e)["profiles"]}

        wait_for(lambda: all(len(profiles(e)) == 2 for e in eids), "an inventory of every device", 120, 0.5)
        orders = [server.post("/v1/devices/%s/operations" % e, {"psmos": [{"enable": {"iccid": profiles(e)["Operator B"], "rollback": True}}]})["id"]
                  for e in eids]
        wait_for(lambda: all(server.get("/v1/operations/" + o)["state"] == "done" for o in orders), "every switch", 120, 0.5)
    finally:
        fleet.terminate()
        out, err = fleet.communicate(timeout=60)
    r = json.loads(out)
    same(r["enabled"]["Operator B"], DEVICES, r)
    same((r["counters"]["malformed"], r["counters"]["refused_http"], r["faulty"]), (0, 0, 0), r, err)
    check(r["counters"]["switches"] == DEVICES and r["counters"]["acks"] > 0 and r["counters"]["removed"] > 0, r)
    check("binding=json" in server.log(), "the log says which binding")


main()
