"""Profiles come onto devices from a simulated SM-DP+: straight, and through the eIM, over real TLS; what the SM-DP+ refuses or does wrong is seen."""
from lib import *


seed = 20


def site(store=None):
    """An eIM that may reach loopback, and an SM-DP+ with an account there."""
    fleet = Fleet(2, seed=seed)
    dp = Smdp(fleet)
    server = Eimd(settings={"eim.indirect_download": "yes", "outbound.allow": "127.0.0.0/8, ::1/128", "notify.retry": "1s"}, store=store, trust=fleet.root)
    with open(fleet.root) as f:
        made = server.post("/v1/smdp-accounts", {"name": "dp", "address": dp.address, "operator": "Operator C", "oid": "2.999.10", "trust": f.read(),
                                                 "total_timeout_ms": 3000})
    same(made["address"], dp.address)
    return fleet, dp, server


def orders(server, eids, dp, matching):
    return [server.post("/v1/devices/%s/operations" % e, {"download": {"activation_code": "1$%s$%s" % (dp.address, matching)}})["id"] for e in eids]


def go(fleet, server, ops, *options):
    """Runs the fleet until all orders are at an end; their operations."""
    report = fleet.run(server, *options)
    for _ in range(5):
        seen = [server.get("/v1/operations/" + o) for o in ops]
        if all(o["state"] in ("done", "failed") for o in seen):
            return report, seen
        fleet.run(server, *options)
    raise AssertionError([(o["state"], o.get("reason")) for o in seen])


def another_fleet(fleet):
    """New devices under the same CI."""
    global seed
    seed += 1
    return Fleet(2, seed=seed, directory=fleet.dir)


def a_profile_comes(site, *ways):
    old, dp, server = site
    for number, way in enumerate(ways):
        fleet = another_fleet(old)
        eids = fleet.enrol(server)
        before = dp.state()
        report, seen = go(fleet, server, orders(server, eids, dp, "M-%d" % number), *way)
        same([o["state"] for o in seen], ["done", "done"], way, seen)
        check(all("installed (eUICC-signed)" in o["reason"] for o in seen), way, seen)
        same(report["counters"]["downloads"], 2, way)
        for e in eids:
            profiles = server.get("/v1/devices/" + e)["profiles"]
            fresh = [p for p in profiles if p["iccid"].startswith("8949003")]
            same([(len(profiles), len(fresh), fresh[0]["state"])], [(3, 1, "disabled")], way, profiles)
        wait_for(lambda: dp.state()["installed"] == before["installed"] + 2, "the SM-DP+ knows, %s" % (way,))
        after = dp.state()
        same((after["unverified"], after["failed"], after["packages"] - before["packages"]), (0, 0, 2), way, after)


DIRECT, INDIRECT, JSON = ("--download", "direct"), ("--download", "indirect"), ("--binding", "json")
first = site()


@case
def a_profile_comes_straight():
    a_profile_comes(first, DIRECT)


@case
def a_profile_comes_through_the_eim_in_both_bindings():
    a_profile_comes(first, INDIRECT, INDIRECT + JSON, INDIRECT + ("--features", "14"), INDIRECT + JSON + ("--features", "14"))


@case
def few_octets_are_said_in_both_bindings():
    a_profile_comes(first, *[INDIRECT + b + ("--features", f) for b in ((), JSON) for f in ("34", "46")])


@case
def an_smds_sends_devices_to_the_smdp():
    old, dp, server = first
    before = dp.state()["installed"]
    ds = Smdp(old, "--event", dp.address, "--event-id", "EVENT-1")
    with open(old.root) as f:                          # the address alone is on no list, and its TLS certificate is of the CI
        made = server.post("/v1/smdp-accounts", {"name": "ds", "address": ds.address, "trust": f.read()})
    for way in (DIRECT, INDIRECT, INDIRECT + JSON, INDIRECT + ("--features", "6"), INDIRECT + JSON + ("--features", "6")):
        fleet = another_fleet(old)
        eids = fleet.enrol(server)
        ops = [server.post("/v1/devices/%s/operations" % e, {"download": {"smds": ds.address}})["id"] for e in eids]
        _, seen = go(fleet, server, ops, *way)
        same([o["state"] for o in seen], ["done", "done"], way, seen)
        same([len(server.get("/v1/devices/" + e)["profiles"]) for e in eids], [3, 3], way)
    wait_for(lambda: dp.state()["installed"] == before + 10, "the SM-DP+ knows of all")
    same(ds.state()["calls"]["authenticateClient"], 10)
    same(ds.state()["calls"]["getBoundProfilePackage"], 0)
    same(server.api("DELETE", "/v1/smdp-accounts/" + made["id"]).status, 204)
    ds.stop()


@case
def half_of_a_fleet_downloads_each_way_with_messages_lost():
    a_profile_comes(first, ("--download", "both", "--loss", "5"))


@case
def what_goes_wrong_at_the_smdp_is_seen_in_the_order():
    old, dp, server = first
    for function, fault, words in (("initiateAuthentication", "html", "initiateAuthentication"), ("authenticateClient", "refused", "matchingIdRefused"),
                                   ("authenticateClient", "half", "authenticateClient"), ("getBoundProfilePackage", "500", "answers 500"),
                                   ("getBoundProfilePackage", "too-much", "getBoundProfilePackage"), ("getBoundProfilePackage", "never", "getBoundProfilePackage"),
                                   ("initiateAuthentication", "wrong-role", "undefinedError(127)"),
                                   ("getBoundProfilePackage", "bad-mac", "(8) (eUICC-signed)")):
        fleet = another_fleet(old)
        eids = fleet.enrol(server)
        dp.fault(function, fault)
        _, seen = go(fleet, server, orders(server, eids[:1], dp, "bad"), *INDIRECT)
        dp.fault(function, "none")
        same((seen[0]["state"], words in seen[0]["reason"]), ("failed", True), function, fault, words, seen)
        same(len(server.get("/v1/devices/" + eids[0])["profiles"]), 2)
        go(fleet, server, orders(server, eids[:1], dp, "good"), *INDIRECT)      # everything else goes on
        same(len(server.get("/v1/devices/" + eids[0])["profiles"]), 3, function, fault)
    wait_for(lambda: dp.state()["failed"] == 1, "the signed failure reached the SM-DP+")


@case
def a_card_without_room_says_so():
    old, dp, server = first
    for way in (DIRECT, INDIRECT):
        fleet = another_fleet(old)
        eids = fleet.enrol(server)
        _, seen = go(fleet, server, orders(server, eids, dp, "room"), *way, "--quirk", "no-memory")
        same([o["state"] for o in seen], ["failed", "failed"], seen)
        check(all("(10) (eUICC-signed)" in o["reason"] for o in seen), seen)


@case
def without_an_account_that_is_enabled_nothing_is_asked():
    old, dp, server = first
    account = server.get("/v1/smdp-accounts")["items"][0]
    put = {k: v for k, v in account.items() if k not in ("id", "changed_at")}
    same(server.api("PUT", "/v1/smdp-accounts/" + account["id"], dict(put, enabled=False)).status, 200)
    fleet = another_fleet(old)
    eids = fleet.enrol(server)
    before = dp.state()["calls"]
    _, seen = go(fleet, server, orders(server, eids, dp, "off"), *INDIRECT)
    check(all(o["state"] == "failed" and "unlisted address" in o["reason"] for o in seen), seen)
    same(dp.state()["calls"], before)
    same(server.api("PUT", "/v1/smdp-accounts/" + account["id"], put).status, 200)


@case
def the_same_over_postgresql():
    second = site(postgres().fresh())
    a_profile_comes(second, DIRECT, INDIRECT)
    check(second[1].stop()["installed"] == 4)


if __name__ == "__main__":
    main()
