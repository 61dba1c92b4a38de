"""An installed memtrace works from where it was put, without its build tree."""
import os

import pytest
import support

BUILD = support.MEMTRACE.parent


@pytest.fixture
def build():
    if not (BUILD / "build.ninja").exists():
        pytest.skip("memtrace does not run from a build tree")
    return BUILD


def try_installed(memtrace, traced):
    installed = support.Traced(traced.directory, traced.python, memtrace)
    result = installed.script("held = b'x' * 54321\n")
    assert any(r["size"] == 54321 + 33 for r in installed.rows(result.trace))
    installed.assert_sound(result.trace)


def test_destdir(build, traced_once):
    """As packagers do: installed below another root, and run from there."""
    root = traced_once.directory / "root"
    result = support.execute(["meson", "install", "-C", build, "--no-rebuild", "--destdir", root])
    assert result.status == 0, result
    found = {os.path.relpath(os.path.join(d, f), str(root))
             for d, _, files in os.walk(str(root)) for f in files}
    memtrace = [f for f in found if f.endswith("bin/memtrace")]
    assert len(memtrace) == 1, found
    assert any(f.endswith("memtrace/libmemtrace.so") for f in found), found
    assert any(f.endswith("man1/memtrace-run.1") for f in found), found
    assert any("bash-completion" in f for f in found), found
    for name in ("memtrace/python/memtrace.py", "include/memtrace/memtrace.h", "man3/memtrace.3"):
        assert any(f.endswith(name) for f in found), (name, found)
    try_installed(root / memtrace[0], traced_once)


def test_prefix(traced_once):
    prefix, build = traced_once.directory / "prefix", traced_once.directory / "build"
    for words in (["meson", "setup", "--prefix", prefix, build, support.ROOT],
                  ["ninja", "-C", build, "install"]):
        result = support.execute(words, timeout=300)
        assert result.status == 0, result
    support.shutil.rmtree(str(build))
    try_installed(prefix / "bin" / "memtrace", traced_once)
