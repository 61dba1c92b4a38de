"""Programs with a Python in them: uWSGI, whose plugin loads it late, gdb and Vim."""
import os
import shutil
import socket
import signal
import subprocess

import pytest
import support

FILL = "held = [bytes(1000 + n) for n in range(100)]"


def needs(*programs):
    for program in programs:
        if shutil.which(program):
            return program
    pytest.skip("no %s here" % " or ".join(programs))


def assert_filled(traced, trace, at):
    """The bytes, as many as the program made, in one line of a text that is no file."""
    traced.assert_sound(trace)
    rows = traced.rows(trace, "--at", at, "--domain", "obj")
    sizes = [row["size"] for row in rows if row.get("filename") == "<string>"]
    wanted = sum(1000 + n + 33 for n in range(100))
    assert sizes and wanted <= max(sizes) < wanted + 5000, sizes  # the list and a few small things


def test_gdb(traced_plain):
    gdb = needs("gdb")
    if support.execute([gdb, "-nx", "-q", "-batch", "-ex", "python 1"]).status:
        pytest.skip("this gdb has no Python")
    result = traced_plain.run("--", gdb, "-nx", "-q", "-batch", "-ex", "python " + FILL)
    assert_filled(traced_plain, result.trace, "end")


def test_vim(traced_plain):
    vim = needs("vim.nox", "vim.gtk3", "vim")
    with_python = support.execute([vim, "-u", "NONE", "-es", "-c", "py3 1", "-c", "qa!"])
    if with_python.status:
        pytest.skip("this Vim has no Python")
    result = traced_plain.run("--", vim, "-u", "NONE", "-es", "-c", "py3 " + FILL, "-c", "qa!")
    assert_filled(traced_plain, result.trace, "end")


APPLICATION = """
import memtrace
held, b = [], None
def application(environ, start_response):
    for n in range(100):
        b = bytes(3000 + n)
        held.append(b)
    memtrace.mark("served")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"served"]
"""


def ask(path):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(path)
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        answer = b""
        while True:
            part = connection.recv(4096)
            if not part:
                return answer
            answer += part


def listens(path):
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(path) == 0


def test_uwsgi(traced_plain):
    """A master, which loads the plugin and imports the application, and a worker that serves."""
    uwsgi = needs("uwsgi")
    if support.execute([uwsgi, "--plugin", "python3", "--version"]).status:
        pytest.skip("uWSGI has no plugin python3 here")
    directory = traced_plain.directory
    (directory / "app.py").write_text(APPLICATION)
    command, trace = traced_plain.command(
        "--", uwsgi, "--plugin", "python3", "--http-socket", "u.sock", "--wsgi-file", "app.py",
        "--master", "--processes", "1", "--need-app", "--die-on-term")
    log = (directory / "log").open("wb")
    process = subprocess.Popen([str(word) for word in command], cwd=str(directory), stdout=log,
                               stderr=log, stdin=subprocess.DEVNULL,
                               env=support.clean_environment())
    try:
        path = os.path.relpath(str(directory / "u.sock"))  # a socket's has 107 bytes at most
        support.wait_for(lambda: process.poll() is not None or listens(path), "a socket")
        for _ in range(3):
            assert ask(path).endswith(b"served"), (directory / "log").read_text()
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=support.TIMEOUT)
    finally:
        if process.poll() is None:
            process.kill()
        log.close()
    traced_plain.assert_sound(trace)
    rows = traced_plain.rows(trace, "--at", "mark:served", "--domain", "obj", "--include", "app.py")
    filled = [(r["size"], r["count"]) for r in rows if r.get("lineno") == 6]
    assert filled == [(3 * sum(3000 + n + 33 for n in range(100)), 300)], rows
