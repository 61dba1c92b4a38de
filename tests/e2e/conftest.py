"""Fixtures of the end-to-end tests; what they are made of is in support.py."""
import signal
import sys

import pytest
import support


def pytest_configure(config):
    for number in (signal.SIGHUP, signal.SIGQUIT):  # nohup and a shell's & ignore them: inherited
        signal.signal(number, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if not support.os.access(str(support.MEMTRACE), support.os.X_OK):
        pytest.exit("no memtrace at %s: build it, or set MEMTRACE" % support.MEMTRACE, 1)


def pytest_report_header(config):
    return support.report_header()


def pytest_terminal_summary(terminalreporter):
    for line in support.report_header():
        terminalreporter.write_line(line)


def pytest_generate_tests(metafunc):
    """`python` runs a test once for each interpreter, `one_python` for the system's."""
    if "python" in metafunc.fixturenames:
        found = support.known_interpreters()
        metafunc.parametrize("python", found, ids=[i.name for i in found])


@pytest.fixture(scope="session", autouse=True)
def sessions_of_the_killed():
    """Tests that kill a collector leave its session behind; this takes them away."""
    yield
    support.execute([support.MEMTRACE, "recover"])


@pytest.fixture
def one_python():
    """One interpreter, for tests that are not about interpreters: this one."""
    for interpreter in support.known_interpreters():
        if interpreter.path == support.os.path.realpath(sys.executable):
            return interpreter
    return support.known_interpreters()[-1]


@pytest.fixture
def traced(tmp_path, python):
    return support.Traced(tmp_path, python)


@pytest.fixture
def traced_once(tmp_path, one_python):
    return support.Traced(tmp_path, one_python)


@pytest.fixture
def traced_plain(tmp_path):
    """Without --python: for programs that are not Python."""
    return support.Traced(tmp_path)
