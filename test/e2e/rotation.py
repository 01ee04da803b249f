"""The signing key of a running fleet is made another one: a restart with the new key, `eimctl rotation run` until all are done, and nothing is lost."""
import lib
from lib import *

server = Eimd(settings={"eim.contact_flush": "1s"}, start=False)
fleet = Fleet(4, seed=33)
shutil.copy(fleet.root, server.dir + "/trust/")
server.start()
eids = fleet.enrol(server)
blob = fleet.dir + "/eim.der"
with open(blob, "wb") as f:
    f.write(server.api("GET", "/v1/eim/configuration.der").body)
devices = subprocess.Popen([program("eimsim"), "fleet", "--url", "https://localhost:%d" % server.device_port, "--cacert", server.ca, "--pki", fleet.dir,
                            "--eim-config", blob, "--devices", "4", "--seed", "33", "--threads", "4", "--interval", "200", "--seconds", "600"],
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, preexec_fn=lib._die_with_parent)


def keys():
    return [server.get("/v1/devices/" + e)["signing_key"] for e in eids]


def switched(operator):
    ops = [server.post("/v1/devices/%s/operations" % e, {"psmos": [{"enable": {"iccid": fleet.iccids(i)[operator], "rollback": True}}]})["id"]
           for i, e in enumerate(eids)]
    wait_for(lambda: all(server.get("/v1/operations/" + o)["state"] == "done" for o in ops), "all on " + operator)


@case
def a_fleet_gets_another_signing_key():
    switched("Operator B")
    old = keys()[0]
    same(keys(), [old] * 4)
    done = run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", server.dir + "/keys/next.pem")
    same(done.status, 0, done)
    os.chmod(server.dir + "/keys/next.pem", 0o600)
    server.stop()
    server.set("eim.signing_key", "next")
    server.start()
    check("another signing key" in server.log(), server.log()[-500:])
    same(keys(), [old] * 4)
    switched("Operator A")                             # with the old one
    dry = server.eimctl("rotation", "run", "--where", "true", "--dry-run", "--json")
    same(dry.json(), {"selected": 4, "waiting": 0, "rotating": 4, "done": 0}, dry)

    def rotated():
        step = server.eimctl("rotation", "run", "--where", "true", "--json")
        same(step.status, 0, step)
        return step.json()["done"] == 4
    wait_for(rotated, "all devices have the new key")
    same(keys(), ["next"] * 4)
    os.unlink(server.dir + "/keys/%s.pem" % old)       # it is not needed any more
    server.kill9()
    server.start()
    switched("Operator B")
    actions = [e["action"] for e in server.get("/v1/audit?limit=500")["items"]]
    check("operation.created" in actions, sorted(set(actions)))


@case
def the_tls_trust_goes_the_same_way():
    def rotated():
        return server.eimctl("rotation", "run", "--where", "true", "--tls", "--json").json()["done"] == 4
    wait_for(rotated, "all cards attested the certificate")
    switched("Operator A")


@case
def what_makers_do_otherwise_is_reported():
    same(server.eimctl("interop").text, "nothing was seen that is otherwise than the specification says\n")
    odd = Fleet(1, seed=34, directory=fleet.dir)
    eid = odd.enrol(server)[0]
    odd.run(server, "--quirk", "double-tag")
    report = server.eimctl("interop")
    check(report.text.startswith("eUICCs whose EID begins with %s:\n  form in provideEimPackageResult (SGP.32 6.3)" % eid[:8]) and eid in report.text and
          "bf51" in report.text, report)
    same(server.eimctl("interop", "--maker", "12345678").text, "nothing was seen that is otherwise than the specification says\n")
    same([(i["kind"], i["maker"], i["eid"]) for i in server.eimctl("interop", "--json").json()["items"]][:1], [("form", eid[:8], eid)])


@case
def a_kind_of_devices_is_said_to_follow_v1_0():
    old = Fleet(1, seed=35, directory=fleet.dir)
    eid = old.enrol(server)[0]
    op = server.post("/v1/devices/%s/operations" % eid, {"psmos": [{"enable": {"iccid": old.iccids(0)["Operator B"]}}]})["id"]
    rule = server.eimctl("quirk", "add", "v1.0", "--maker", eid, "--ipa", "gsma-rsp-ipad", "--note", "the old ones")
    same(rule.status, 0, rule)
    listed = server.eimctl("quirk", "list").text
    check("v1.0" in listed and "1 rules" in listed and eid in listed and "the old ones" in listed, listed)
    old.run(server, "--quirk", "v1.0")
    same(server.get("/v1/operations/" + op)["state"], "done")
    same(server.get("/v1/devices/" + eid)["quirks"], [], "no IPA is speaking when it is looked at")
    same(server.eimctl("quirk", "remove", rule.text.strip()).status, 0)
    same(server.eimctl("quirk", "remove", rule.text.strip()).status, 1)
    same(server.eimctl("quirk", "device", eid, "v1.0,no-rollback").text, eid + " no-rollback,v1.0\n")
    same(server.api("POST", "/v1/devices/%s/operations" % eid, {"psmos": [{"unsetFallbackAttribute": {}}]}).status, 422)
    same(server.eimctl("quirk", "device", eid).text, eid + " has no quirks\n")
    for body in ({"quirks": ["v1.0"]}, {"maker": "8904", "quirks": ["v9"]}, {"maker": "x", "quirks": ["v1.0"]}):
        same(server.api("POST", "/v1/quirks", body).status, 400, body)
    same(server.api("PATCH", "/v1/devices/" + eid, {"quirks": ["v9"]}).status, 400)
    same(server.api("PATCH", "/v1/devices/" + eid, {}).status, 400)
    actions = [e["action"] for e in server.get("/v1/audit?limit=500")["items"]]
    check({"quirk_rule.added", "quirk_rule.removed", "device.quirks"} <= set(actions), sorted(set(actions)))


@case
def what_is_wrong_is_refused():
    for body in ({"where": "true"}, {"where": "true", "what": "x"}, {"where": "nope(", "what": "signing_key"}, {"where": "true", "what": "signing_key", "dry_run": 1}):
        same(server.api("POST", "/v1/rotation", body).status, 400, body)
    same(server.api("POST", "/v1/devices/%s/signing-key" % eids[0], {"signing_key": "none", "reason": "r"}).status, 404)
    same(server.eimctl("rotation", "say", eids[0], "next", "--reason", "seen").status, 0)
    same(server.eimctl("rotation", "say", eids[0], "next").status, 2)
    same(server.eimctl("rotation", "run").status, 2)
    devices.terminate()
    devices.wait()


if __name__ == "__main__":
    main()
