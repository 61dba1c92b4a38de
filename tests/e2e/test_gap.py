"""A collector that stands still: waited for, then done without, and every report says so."""
import os
import signal

import support

# Says its pid; for each line on stdin: allocates more than rings hold, in as many threads as
# the first argument says, and prints how much it holds.
PROGRAM = """
import os, sys, threading, time
print(os.getpid(), flush=True)
held = []
def work():
    held.append([str(n) * 10 for n in range(200000)])
def work_in_threads():
    group = [threading.Thread(target=work) for _ in range(int(sys.argv[1]))]
    for thread in group: thread.start()
    for thread in group: thread.join()
    print(len(held), flush=True)
for line in sys.stdin:
    if line == "end\\n":
        break
    if line == "fill\\n":
        work_in_threads()
    else: # until the collector has certainly seen something again
        until = time.monotonic() + 1
        while time.monotonic() < until:
            x = [str(n) for n in range(1000)]
        b = b"x" * 55555  # kept
        print("kept", flush=True)
sys.exit(5)
"""


class Stopped:
    """A traced program whose collector can be stopped."""

    def __init__(self, traced, threads):
        self.traced = traced
        traced.count += 1
        path = traced.directory / ("script%d.py" % traced.count)
        path.write_text(PROGRAM)
        traced.count -= 1
        command, self.trace = traced.command(path, str(threads))
        self.process = support.subprocess.Popen(
            [str(word) for word in command], stdin=support.subprocess.PIPE,
            stdout=support.subprocess.PIPE, stderr=support.subprocess.PIPE,
            env=support.clean_environment(), cwd=str(traced.directory))
        self.pid = int(self.process.stdout.readline())

    def say(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def stop(self):
        os.kill(self.process.pid, signal.SIGSTOP)

    def go_on(self):
        os.kill(self.process.pid, signal.SIGCONT)

    def finish(self):
        _, err = self.process.communicate(timeout=support.TIMEOUT)
        assert self.process.returncode == 5, err
        return err.decode(), self.traced.report("info", self.trace)["processes"][0]


def assert_only_a_gap(process):
    assert process["gap_events"] > 1000 and process["gap_bytes"] > 10000, process
    assert process["unknown_frees"] == process["duplicate_allocations"] == 0, process


def test_gap_and_on(traced_once):
    """Given up after a while, once for all threads; after it everything is recorded again."""
    program = Stopped(traced_once, 4)
    program.stop()
    start = support.time.monotonic()
    program.say("fill")
    assert program.process.stdout.readline() == b"4\n"
    assert 9 < support.time.monotonic() - start < 35
    program.go_on()
    program.say("keep")
    assert program.process.stdout.readline() == b"kept\n"
    program.say("end")
    message, process = program.finish()
    assert message.count("stands still") == 1, message
    assert_only_a_gap(process)
    assert traced_once.at(program.trace, "kept") == (55555 + 33, 1)
    report = support.execute([traced_once.memtrace, "top", program.trace])
    assert b"gap: " in report.out + report.err, report


def test_gap_to_the_end(traced_once):
    """The program ends in the gap: no record tells of it, the trace does."""
    program = Stopped(traced_once, 1)
    program.stop()
    program.say("fill")
    assert program.process.stdout.readline() == b"1\n"
    program.say("end")
    support.wait_for(lambda: is_zombie(program.pid), "the program's end")
    program.go_on()
    _, process = program.finish()
    assert_only_a_gap(process)


def is_zombie(pid):
    with open("/proc/%d/stat" % pid) as file:
        return file.read().rpartition(")")[2].split()[0] == "Z"


def test_five_seconds(traced_once):
    """Stopped for less than the patience, with full rings: nothing is lost."""
    program = Stopped(traced_once, 2)
    program.stop()
    program.say("fill")
    until = support.time.monotonic() + 5
    support.wait_for(lambda: support.time.monotonic() > until, "five seconds")
    program.go_on()
    assert program.process.stdout.readline() == b"2\n"
    program.say("end")
    message, _ = program.finish()
    assert "stands still" not in message
    program.traced.assert_sound(program.trace)
