#!/usr/bin/env python3
"""Counts test cases: reads the TAP of one test program and its end, and says what passed, failed and was skipped.

The rules are strict, so that a broken test program never counts as a good one:
  - every `ok` line is a case passed, every `not ok` a case failed, `# SKIP reason` makes it skipped;
  - cases that the plan (`1..N`, several of them add up) promised and that never came have failed;
  - an exit status other than 0, a signal or a timeout is at least one failure;
  - a program that ran no case and skipped none is one failure, and so is one without a plan;
  - exit status 77, or the plan `1..0 # SKIP reason`, skips the program as a whole.
`# skip NAME: reason` lines (test/lib prints them) give the reasons of skips that cmocka cannot carry.
"""
import re
import sys

CASE = re.compile(r"^(not )?ok\b\s*(\d+)?\s*(?:-\s*)?(.*)$")
PLAN = re.compile(r"^1\.\.(\d+)(?:\s*#\s*skip\w*\s*(.*))?\s*$", re.I)
DIRECTIVE = re.compile(r"^(.*?)\s*#\s*(skip|todo)\w*:?\s*(.*)$", re.I)
REASON = re.compile(r"^#\s*skip\s+(\S+?):\s*(.+)$", re.I)


class Tally:
    def __init__(self):
        self.passed = 0
        self.good = set()           # names of the cases passed
        self.failures = []          # (name, why)
        self.skips = []             # (name, reason)

    @property
    def failed(self):
        return len(self.failures)

    def add(self, other, prefix=""):
        self.passed += other.passed
        self.good |= {prefix + n for n in other.good}
        self.failures += [(prefix + n, w) for n, w in other.failures]
        self.skips += [(prefix + n, w) for n, w in other.skips]


def count(text, status, timed_out=False):
    """The tally of one program: its standard output, its exit status (negative: the signal that killed it)."""
    t = Tally()
    planned, plans, whole_skip, reasons = 0, 0, None, {}
    for line in text.splitlines():
        plan, case, reason = PLAN.match(line), CASE.match(line), REASON.match(line)
        if reason:
            reasons[reason.group(1)] = reason.group(2)
        elif plan:
            plans += 1
            planned += int(plan.group(1))
            if plan.group(1) == "0" and plan.group(2) is not None:
                whole_skip = plan.group(2) or "no reason given"
        elif case:
            name, directive = case.group(3), DIRECTIVE.match(case.group(3))
            if directive and directive.group(2).lower() == "skip":
                # cmocka writes the name where the reason should be: `not ok 2 # SKIP name`
                t.skips.append((directive.group(1), directive.group(3)) if directive.group(1) else (directive.group(3), ""))
            elif case.group(1):
                t.failures.append((name, "not ok"))
            else:
                t.passed += 1
                t.good.add(name)
    t.skips = [(n, r or reasons.get(n) or "no reason given") for n, r in t.skips]
    seen = t.passed + t.failed + len(t.skips)
    if status == 77 and seen == 0:
        whole_skip = whole_skip or next((l.lstrip("# ") for l in text.splitlines() if l.strip()), "no reason given")
        t.skips.append(("(all)", whole_skip))
        return t
    for i in range(seen, planned):
        t.failures.append(("case %d of %d" % (i + 1, planned), "never reported"))
    if seen == 0 and whole_skip and status == 0:
        t.skips.append(("(all)", whole_skip))
    elif seen == 0 and planned == 0:
        t.failures.append(("(program)", "ran no test case"))
    elif plans == 0:
        t.failures.append(("(program)", "printed no plan, so cases may be missing"))
    if timed_out:
        t.failures.append(("(program)", "timed out"))
    elif status < 0:
        t.failures.append(("(program)", "killed by signal %d" % -status))
    elif status != 0 and t.failed == 0:
        t.failures.append(("(program)", "exit status %d although no case failed" % status))
    return t


SELF_TEST = (
    # what                                   output                                  status timeout  passed failed skipped
    ("all is well",                          "1..2\nok 1 - a\nok 2 - b\n",               0, False, 2, 0, 0),
    ("two groups add up",                    "1..1\nok 1 - a\n1..2\nok 1 - b\nok 2 - c", 0, False, 3, 0, 0),
    ("the plan may come last",               "ok 1 a\nok 2 b\n1..2\n",                   0, False, 2, 0, 0),
    ("a failure",                            "1..2\nok 1 - a\nnot ok 2 - b\n",           1, False, 1, 1, 0),
    ("a failure hidden by status 0",         "1..1\nnot ok 1 - a\n",                     0, False, 0, 1, 0),
    ("a crash after the first of three",     "1..3\nok 1 - a\n",                        -6, False, 1, 3, 0),
    ("a sanitizer's complaint at the end",   "1..1\nok 1 - a\n",                         1, False, 1, 1, 0),
    ("a timeout after the last case",        "1..1\nok 1 - a\n",                         0, True,  1, 1, 0),
    ("cases missing though status 0",        "1..3\nok 1 - a\nok 2 - b\n",               0, False, 2, 1, 0),
    ("nothing ran",                          "",                                         0, False, 0, 1, 0),
    ("an empty plan without reason",         "1..0\n",                                   0, False, 0, 1, 0),
    ("no plan",                              "ok 1 - a\n",                               0, False, 1, 1, 0),
    ("skipped as a whole",                   "1..0 # SKIP no nginx\n",                   0, False, 0, 0, 1),
    ("skipped as a whole, but it failed",    "1..0 # SKIP no nginx\n",                   1, False, 0, 1, 0),
    ("skipped by status 77",                 "# no nginx here\n",                       77, False, 0, 0, 1),
    ("77 does not hide a failure",           "1..1\nnot ok 1 - a\n",                    77, False, 0, 1, 0),
    ("one case skipped",                     "1..2\nok 1 - a\nok 2 - b # SKIP no disk",  0, False, 1, 0, 1),
    ("cmocka's way to skip",                 "1..1\nnot ok 1 # SKIP a\n",                0, False, 0, 0, 1),
    ("chatter is not counted",               "1..1\nokay then\n# ok 9\n  ok 2\nok 1 - a", 0, False, 1, 0, 0),
)


def self_test():
    bad = 0
    print("1..%d" % (len(SELF_TEST) + 1))
    for i, (what, text, status, timed_out, *want) in enumerate(SELF_TEST, 1):
        t = count(text, status, timed_out)
        got = [t.passed, t.failed, len(t.skips)]
        print("%s %d - %s" % ("ok" if got == want else "not ok", i, what))
        if got != want:
            bad += 1
            print("# got %s, want %s" % (got, want))
    t = count("1..2\n# skip a: no disk to fill\nnot ok 1 # SKIP a\nok 2 - b # SKIP no moon\n", 0)
    good = t.skips == [("a", "no disk to fill"), ("b", "no moon")]
    print("%s %d - the reason of a skip is kept" % ("ok" if good else "not ok", len(SELF_TEST) + 1))
    return 0 if good and not bad else 1


if __name__ == "__main__":
    sys.exit(self_test())
