#!/bin/sh
# The tests that need interpreters, with free-threaded CPythons: built from the source
# packages of newer Debians, as no stable system has them.  A build takes some minutes and
# is used again the next time; nothing is installed outside of its directory.  ./check does
# not run it.
#
#     tests/freethreaded.sh [-b BUILD] [-d DIRECTORY] [-v VERSION]... [TEST OR OPTION OF PYTEST...]
#
# VERSION is 3.13 or 3.14; both unless one is given.
set -eu

build=build-check
directory=/var/tmp/memtrace-freethreaded
versions=
usage() {
    echo "usage: tests/freethreaded.sh [-b BUILD] [-d DIRECTORY] [-v VERSION]..." \
        "[TEST OR OPTION OF PYTEST...]" >&2
    exit 2
}
complain() {
    echo "freethreaded.sh: $*" >&2
    exit 1
}
while getopts b:d:v: option; do
    case $option in
    b) build=$OPTARG ;;
    d) directory=$OPTARG ;;
    v) versions="$versions $OPTARG" ;;
    *) usage ;;
    esac
done
shift $((OPTIND - 1))

source=$(cd "$(dirname "$0")/.." && pwd)
case $build in /*) ;; *) build=$source/$build ;; esac
mkdir -p "$directory"
directory=$(cd "$directory" && pwd)

suite_of() {
    case $1 in
    3.13) echo trixie ;;
    3.14) echo forky ;;
    *) complain "of which Debian is $1?" ;;
    esac
}

# apt with lists and a cache of its own: the system's stay as they are.
apt() {
    apt-get -q -o Dir::Etc::SourceList="$directory/apt/sources.list" -o Dir::Etc::SourceParts=- \
        -o Dir::State::Lists="$directory/apt/lists" -o Dir::Cache="$directory/apt/cache" \
        -o Acquire::Check-Valid-Until=false -o APT::Sandbox::User=root "$@"
}

fetch() { # VERSION: its source in $directory/VERSION/python3.*-*/
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' |
        head -n 1)
    [ -n "$mirror" ] || complain "apt of this system knows no mirror of Debian"
    rm -rf "$directory/apt"
    mkdir -p "$directory/apt/lists/partial" "$directory/apt/cache/archives/partial" "$directory/$1"
    echo "deb-src $mirror $(suite_of "$1") main" >"$directory/apt/sources.list"
    apt update
    (cd "$directory/$1" && apt source --download-only "python$1")
}

make_python() { # VERSION, into $directory/VERSION/python
    ls "$directory/$1"/python*.orig.tar.[gx]z >/dev/null 2>&1 || fetch "$1"
    mkdir -p "$directory/$1/source"
    tar -C "$directory/$1/source" --strip-components 1 -xf "$directory/$1"/python*.orig.tar.[gx]z
    (
        cd "$directory/$1/source"
        ./configure -q --disable-gil --without-ensurepip --prefix="$directory/$1/python"
        make -s -j"$(nproc)"
        make -s install
    ) >"$directory/$1/log" 2>&1 || complain "the build failed: $directory/$1/log"
    rm -rf "$directory/$1/source"
}

pythons=
for version in ${versions:-3.13 3.14}; do
    python=$directory/$version/python/bin/python$version
    if [ ! -x "$python" ]; then
        echo "==> CPython $version without a GIL in $directory/$version"
        make_python "$version"
    fi
    pythons=$pythons${pythons:+:}$python
done

[ -x "$build/memtrace" ] || complain "no $build/memtrace: build it first (./check does)"
echo "==> End-to-end tests"
[ $# -gt 0 ] || set -- "$source/tests/e2e" -k "$pythons"
MEMTRACE=$build/memtrace MEMTRACE_TEST_PYTHONS=$pythons \
    /usr/bin/python3 -m pytest -q -rs -n 2 -p no:cacheprovider --rootdir "$source" "$@"
