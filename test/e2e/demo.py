"""make demo, as it is: all its figures must be as they must be, and ./demo is only touched when it is its own."""
from lib import *

DEMO = os.path.join(ROOT, "tools", "demo")
place = tmpdir()


def demo(cwd, **env):
    p = subprocess.run([DEMO], cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=560,
                       env=dict(os.environ, DEMO_ONCE="1", BUILD=BUILD, **env))
    return Done(p.returncode, p.stdout, p.stderr)


@case
def a_folder_that_is_not_its_own_is_left_alone():
    other = tmpdir()
    os.mkdir(other + "/demo")
    with open(other + "/demo/mine", "w") as f:
        f.write("precious")
    d = demo(other)
    same(d.status, 1, d)
    check(b"not made by make demo" in d.err, d)
    same(os.listdir(other + "/demo"), ["mine"])


@case
def the_fleet_is_switched_and_every_figure_is_right():
    d = demo(place)
    same(d.status, 0, d, d.text[-3000:])
    for name, value in (("switched to B", 990), ("rolled back to A", 10), ("refused", 0), ("still waiting", 0), ("profiles downloaded directly", 50),
                        ("profiles downloaded through the eIM", 50)):
        check(re.search(r"^ +%s +%d$" % (name, value), d.text, re.M), name, d.text)
    check("WRONG" not in d.text and "NOT FOUND" not in d.text and "NOT VERIFIED" not in d.text, d.text)
    for words in (r"^ +990  proven +Operator B$", r"^ +110  proven +Operator A$", r"^  audit log: verified: lines 0 to \d+ "):
        check(re.search(words, d.text, re.M), words, d.text)


@case
def a_second_run_says_that_it_starts_afresh_and_can_be_interrupted():
    p = subprocess.Popen([DEMO], cwd=place, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         env=dict(os.environ, BUILD=BUILD))
    lines = []
    for line in p.stdout:
        lines.append(line.decode())
        if "first contact" in lines[-1]:
            break
    check("removing ./demo" in lines[0], lines)
    m = re.search(r"API https://127\.0\.0\.1:(\d+)", "".join(lines))
    p.send_signal(signal.SIGINT)
    rest = p.stdout.read().decode()
    same(p.wait(60), 130, lines, rest)
    with socket.socket() as s:
        check(s.connect_ex(("127.0.0.1", int(m.group(1)))) != 0, "eimd is gone")


main()
