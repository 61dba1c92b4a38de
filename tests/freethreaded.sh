#!/bin/sh
# The end-to-end tests with a free-threaded CPython, 3.13 or another version: built from the
# source package of Debian (3.13: trixie's, later ones: forky's), as no stable system has one, or
# from the archive pythonVERSION*.orig.tar.* or Python-VERSION*.tar.* that is in DIRECTORY/VERSION.
# The build takes some minutes and is used again the next time; nothing is installed outside of
# its directory.  ./check does not run it.
#
#     tests/freethreaded.sh [-V VERSION] [-b BUILD] [-d DIRECTORY] [TEST OR OPTION OF PYTEST...]
#     tests/freethreaded.sh [-V VERSION] [-b BUILD] [-d DIRECTORY] -s [OPTION OF cpython_suite.py...]
set -eu

version=3.13
build=build-check
directory=/var/tmp/memtrace-freethreaded
suite=
usage() {
    echo "usage: tests/freethreaded.sh [-V VERSION] [-b BUILD] [-d DIRECTORY] [TEST OR OPTION...]" >&2
    echo "       tests/freethreaded.sh [-V VERSION] [-b BUILD] [-d DIRECTORY] -s [OPTION...]" >&2
    exit 2
}
complain() {
    echo "freethreaded.sh: $*" >&2
    exit 1
}
while getopts V:b:d:s option; do
    case $option in
    V) version=$OPTARG ;;
    b) build=$OPTARG ;;
    d) directory=$OPTARG ;;
    s) # what follows is the suite's
        suite=1
        break
        ;;
    *) usage ;;
    esac
done
shift $((OPTIND - 1))

source=$(cd "$(dirname "$0")/.." && pwd)
case $build in /*) ;; *) build=$source/$build ;; esac
mkdir -p "$directory/$version"
directory=$(cd "$directory/$version" && pwd)
case $version in 3.13) release=trixie ;; *) release=forky ;; esac

archive() {
    find "$directory/" -maxdepth 1 \( -name "python*.orig.tar.[gx]z" -o -name "Python-*.tar.[gx]z" \) |
        head -n 1
}

# apt with lists and a cache of its own: the system's stay as they are.
apt() {
    apt-get -q -o Dir::Etc::SourceList="$directory/apt/sources.list" -o Dir::Etc::SourceParts=- \
        -o Dir::State::Lists="$directory/apt/lists" -o Dir::Cache="$directory/apt/cache" \
        -o Acquire::Check-Valid-Until=false -o APT::Sandbox::User=root "$@"
}

fetch() {
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' |
        head -n 1)
    [ -n "$mirror" ] || complain "apt of this system knows no mirror of Debian"
    rm -rf "$directory/apt"
    mkdir -p "$directory/apt/lists/partial" "$directory/apt/cache/archives/partial"
    echo "deb-src $mirror $release main" >"$directory/apt/sources.list"
    apt update
    (cd "$directory" && apt source --download-only "python$version")
}

make_python() {
    mkdir -p "$directory/source"
    tar -C "$directory/source" --strip-components 1 -xf "$(archive)"
    (
        cd "$directory/source"
        ./configure -q --disable-gil --without-ensurepip --prefix="$directory/python"
        make -s -j"$(nproc)"
        make -s install
    ) >"$directory/log" 2>&1 || complain "the build failed: $directory/log"
    rm -rf "$directory/source"
}

python=$directory/python/bin/python${version}t
if [ ! -x "$python" ]; then
    echo "==> CPython $version without a GIL in $directory"
    [ -n "$(archive)" ] || fetch
    make_python
fi

[ -x "$build/memtrace" ] || complain "no $build/memtrace: build it first (./check does)"
export MEMTRACE=$build/memtrace MEMTRACE_TEST_PYTHONS=$python
name=$("$python" -c 'import platform; print(platform.python_version() + "t")')
if [ -n "$suite" ]; then
    echo "==> CPython's own tests"
    exec python3 "$source/tests/cpython_suite.py" "$name" "$@"
fi
echo "==> Offsets"
python3 "$source/agent/generate_offsets.py" --check "$directory/python/include/python${version}t"
echo "==> End-to-end tests"
if [ $# -eq 0 ]; then
    set -- "$source/tests/e2e" --ignore "$source/tests/e2e/test_install.py"
fi
python3 -m pytest -q -rs -p no:cacheprovider --rootdir "$source" -k "$name" "$@"
