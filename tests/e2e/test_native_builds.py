"""Names, lines and inlined functions in what different compilers build, and in ways that differ in
how debugging information is kept."""
import shutil
import subprocess

import pytest
import support
from test_native import has_symbols
from test_symbols import SOURCE, STACKS, separate, stacks

pytestmark = pytest.mark.skipif(not has_symbols(), reason="memtrace was built without libdw")

WAYS = [["-O2", "-gdwarf-4"], ["-O2", "-gdwarf-5"], ["-O0"], ["-O2", "-gz"], ["-O2", "-gsplit-dwarf"],
        ["-O2", "-gsplit-dwarf", "-gdwarf-4"], ["-O2", "-no-pie", "-fno-PIE"],
        ["-O2", "-ffunction-sections", "-Wl,--gc-sections"], ["-O2", "-flto"],
        ["-O2", "-flto=thin"]]
OTHER = """
extern "C" __attribute__((noinline)) int around_%(name)s(int number)
{
    volatile int sum = number;
    return sum + 1;
}
"""


def compile_with(directory, compiler, *words):
    """There: clang writes .dwo files to where it is."""
    if not shutil.which(compiler):
        pytest.skip("no %s here" % compiler)
    made = support.execute([compiler, "-g", "-w", "-fno-builtin", *words], cwd=str(directory))
    assert made.status == 0, made


def links_with_lld(directory):
    source = directory / "nothing.cc"
    source.write_text("int main() { return 0; }")
    command = ["clang++", "-fuse-ld=lld", source, "-o", directory / "nothing"]
    return shutil.which("clang++") and support.execute(command).status == 0


def without_parameters(found):
    """clang says the parameters of functions that no other file sees too."""
    return {size: [(function.partition("(")[0], *rest) for function, *rest in frames]
            for size, frames in found.items()}


def assert_named(traced, program):
    trace = traced.run(program, options=["--native", "--symbolize"]).trace
    assert without_parameters(stacks(traced, trace)) == without_parameters(STACKS)


def remove_aranges(path):
    if not shutil.which("objcopy"):
        pytest.skip("no objcopy here")
    made = support.execute(["objcopy", "--remove-section", ".debug_aranges",
                            "--remove-section", ".rela.debug_aranges", path])
    assert made.status == 0, made


def has_aranges(program):
    sections = subprocess.run(["readelf", "-SW", str(program)], stdout=subprocess.PIPE).stdout
    return b".debug_aranges" in sections


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
@pytest.mark.parametrize("options", WAYS, ids=" ".join)
def test_ways(traced_plain, tmp_path, compiler, options):
    program = tmp_path / "inlined"
    if "-flto=thin" in options and compiler == "g++":
        pytest.skip("ThinLTO is clang's")
    if compiler == "clang++" and {"-flto", "-flto=thin"} & set(options):
        if not links_with_lld(tmp_path):
            pytest.skip("no clang and lld here")
        options = [*options, "-fuse-ld=lld"]
    compile_with(tmp_path, compiler, *options, SOURCE, "-o", program)
    assert_named(traced_plain, program)


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_without_a_list_of_addresses(traced_plain, tmp_path, compiler):
    """.debug_aranges is nothing that a program must have."""
    program = tmp_path / "inlined"
    compile_with(tmp_path, compiler, "-O2", SOURCE, "-o", program)
    remove_aranges(program)
    assert not has_aranges(program)
    assert_named(traced_plain, program)


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_separate(traced_plain, tmp_path, compiler):
    program = tmp_path / "inlined"
    compile_with(tmp_path, compiler, "-O2", SOURCE, "-o", program)
    separate(program, tmp_path / "inlined.debug")
    assert_named(traced_plain, program)


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
@pytest.mark.parametrize("common", ["none", "there", "gone"])
def test_made_smaller_by_dwz(traced_plain, tmp_path, compiler, common):
    """As distributions do it.  Without the file that has what two programs share there are fewer
    names, and none that is wrong."""
    if not shutil.which("dwz"):
        pytest.skip("no dwz here")
    programs = [tmp_path / "inlined", tmp_path / "second"]
    for program in programs:
        compile_with(tmp_path, compiler, "-O2", "-gdwarf-4", SOURCE, "-o", program)
    shared = ["-m", tmp_path / "common.debug", "-M", str(tmp_path / "common.debug"), programs[1]]
    made = support.execute(["dwz", *(shared if common != "none" else []), programs[0]])
    assert made.status == 0, made
    if common != "gone":
        assert_named(traced_plain, programs[0])
        return
    (tmp_path / "common.debug").unlink()
    trace = traced_plain.run(programs[0], options=["--native", "--symbolize"]).trace
    names = {name for frames in stacks(traced_plain, trace).values() for name, *_ in frames}
    known = {name for frames in without_parameters(STACKS).values() for name, *_ in frames}
    assert {name.partition("(")[0].partition("+")[0] for name in names} <= known | {"??"}, names


@pytest.mark.parametrize("lists", ["none", "the others"])
def test_linked_of_both(traced_plain, tmp_path, lists):
    """A unit that .debug_aranges does not list, between two that it does."""
    objects = []
    for name in ["before", "after"]:
        source = tmp_path / (name + ".cc")
        source.write_text(OTHER % {"name": name})
        compile_with(tmp_path, "g++", "-O2", "-c", source, "-o", tmp_path / (name + ".o"))
        objects.append(tmp_path / (name + ".o"))
    objects.insert(1, tmp_path / "inlined.o")
    compile_with(tmp_path, "g++", "-O2", "-c", SOURCE, "-o", objects[1])
    for made in objects if lists == "none" else objects[1:2]:
        remove_aranges(made)
    program = tmp_path / "inlined"
    compile_with(tmp_path, "g++", *objects, "-o", program)
    assert has_aranges(program) == (lists == "the others")
    assert_named(traced_plain, program)
