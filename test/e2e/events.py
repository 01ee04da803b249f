"""The event log by API and eimctl, on both stores: nothing lost and nothing twice over kill -9, whoever reads meanwhile."""
import subprocess

from lib import *


class Trial:
    def __init__(self, name, store):
        self.name, self.store = name, store
        self.after, self.seen = 0, []

    def start(self):
        self.fleet = Fleet(3)
        self.server = Eimd(store=self.store() if self.store else None, trust=self.fleet.root)

    def news(self, query=""):
        """Follow the log to its end from where we were."""
        fresh = []
        while True:
            page = self.server.get("/v1/events?after=%d&limit=7%s" % (self.after, query))
            fresh += page["items"]
            check(page["next"] >= self.after and page["last"] >= page["next"], page["next"], page["last"])
            self.after = page["next"]
            if page["next"] == page["last"]:
                return fresh


def cases_of(t):
    def named(function):
        function.__name__ = "%s: %s" % (t.name, function.__name__)
        return case(function)

    @named
    def a_fleet_is_told():
        t.start()
        t.fleet.enrol(t.server)
        fresh = t.news()
        same([(x["type"], x["eid"]) for x in fresh], [("device.enrolled", e) for e in t.fleet.eids()])
        t.seen += fresh
        t.fleet.run(t.server)
        fresh = t.news()
        t.seen += fresh
        for e in t.fleet.eids():
            mine = [x["type"] for x in fresh if x["eid"] == e]
            check("device.first_contact" in mine and "profile.enabled" in mine and mine.index("operation.sent") < mine.index("operation.done"), mine)
        same([x["seq"] for x in t.seen], list(range(1, len(t.seen) + 1)))

    @named
    def kill9_while_it_is_written_and_read_loses_and_doubles_nothing():
        orders, stop, followed, trouble = [], threading.Event(), [], []

        def follow():
            while not stop.is_set():
                try:
                    followed.extend(t.news())
                except Exception as e:
                    trouble.append(e)       # eimd is dead for a moment: the number stays where it was
                    time.sleep(0.05)

        reader = threading.Thread(target=follow)
        reader.start()
        try:
            for round in range(4):
                for e in t.fleet.eids():
                    for _ in range(5):
                        orders.append(t.server.post("/v1/devices/%s/inventory" % e)["id"])
                t.server.restart(hard=True)
        finally:
            stop.set()
            reader.join()
        followed.extend(t.news())
        t.seen += followed
        same([x["seq"] for x in t.seen], list(range(1, len(t.seen) + 1)), "numbers")
        same(len({x["id"] for x in t.seen}), len(t.seen), "ids")
        same([x["operation"] for x in followed if x["type"] == "operation.created"], orders, "each order that was answered, in its order")

    @named
    def the_log_is_the_same_when_it_is_read_again_and_choices_are_parts_of_it():
        t.after = 0
        again = t.news()
        same(again, t.seen)
        e = t.fleet.eids()[1]
        for query, chosen in (("&eid=" + e, [x for x in again if x.get("eid") == e]),
                              ("&type=operation.created", [x for x in again if x["type"] == "operation.created"]),
                              ("&type=operation.*,device.enrolled&eid=" + e,
                               [x for x in again if x.get("eid") == e and (x["type"].startswith("operation.") or x["type"] == "device.enrolled")])):
            t.after = 0
            same(t.news(query), chosen, query)
        down, cursor = [], ""
        while cursor is not None:
            page = t.server.get("/v1/devices/%s/timeline?limit=4%s" % (e, cursor and "&cursor=" + cursor))
            down += page["items"]
            cursor = page["next"]
        same(down[::-1], [x for x in again if x.get("eid") == e])

    @named
    def what_is_wrong_is_refused_by_name():
        last = t.server.get("/v1/events?limit=1")["last"]
        for query, field in (("after=x", "after"), ("after=-1", "after"), ("after=%d" % (last + 1), "after"), ("after=" + "9" * 19, "after"),
                             ("type=operation", "type"), ("type=operation.done,", "type"), ("type=*", "type"), ("eid=12", "eid"), ("limit=501", "limit"),
                             ("after=1&after=2", "after"), ("cursor=0000000000000001", "cursor")):
            r = t.server.api("GET", "/v1/events?" + query)
            same((r.status, r.json().get("field")), (400, field), query)
        same(t.server.api("GET", "/v1/events", token=False).status, 401)
        same(t.server.api("GET", "/v1/devices/%s/timeline" % eid(999)).status, 404)
        same(t.server.api("GET", "/v1/devices/12/timeline").status, 400)


@case
def eimctl_lists_and_follows():
    s, fleet = sqlite.server, sqlite.fleet
    listed = s.eimctl("events", "--all", "--json")
    same(listed.status, 0, listed)
    same([json.loads(l) for l in listed.text.splitlines()], sqlite.seen)
    lines = s.eimctl("events", "--limit", "3").text.splitlines()
    same((len(lines), lines[-1].split()[0]), (3, str(len(sqlite.seen))))
    same(s.eimctl("events", "--type", "nonsense").status, 1)
    same(s.eimctl("device", "timeline", fleet.eids()[0], "--limit", "2", "--json").text.count("\n"), 2)
    p = subprocess.Popen([program("eimctl"), "events", "--follow", "--json", "--after", str(len(sqlite.seen) - 1)], stdout=subprocess.PIPE,
                         env=dict(os.environ, EIMCTL_URL="https://127.0.0.1:%d" % s.api_port, EIMCTL_TOKEN=s.token, EIMCTL_CACERT=s.ca))
    try:
        same(json.loads(p.stdout.readline()), sqlite.seen[-1])
        order = s.post("/v1/devices/%s/inventory" % fleet.eids()[0])["id"]
        same(json.loads(p.stdout.readline())["operation"], order)
        s.restart(hard=True)                # the follower waits for it and goes on
        order = s.post("/v1/devices/%s/inventory" % fleet.eids()[0])["id"]
        same(json.loads(p.stdout.readline())["operation"], order)
    finally:
        p.kill()
        p.wait()


sqlite = Trial("SQLite", None)
cases_of(sqlite)
cases_of(Trial("PostgreSQL", lambda: postgres().fresh()))
CASES.append(CASES.pop(0))
main()
