#!/bin/sh
# The tests that need interpreters, in Debian forky: its CPythons are newer than those
# of a stable system.  Root only, as it makes a root directory of its own (a few
# hundred megabytes, used again the next time) and enters it.  ./check does not run it.
#
#     tests/forky.sh [-b BUILD] [-r ROOT] [TEST OR OPTION OF PYTEST...]
#     tests/forky.sh [-b BUILD] [-r ROOT] -s [OPTION OF cpython_suite.py...]
set -eu

build=build-check
root=/var/tmp/memtrace-forky
suite=
usage() {
    echo "usage: tests/forky.sh [-b BUILD] [-r ROOT] [TEST OR OPTION OF PYTEST...]" >&2
    echo "       tests/forky.sh [-b BUILD] [-r ROOT] -s [OPTION OF cpython_suite.py...]" >&2
    exit 2
}
complain() {
    echo "forky.sh: $*" >&2
    exit 1
}

if [ "${1:-}" != --inside ]; then
    [ "$(id -u)" -eq 0 ] || complain "only root can make a root directory and enter it"
    command -v debootstrap >/dev/null || complain "no debootstrap: apt-get install debootstrap"
    exec unshare --mount sh "$0" --inside "$@" # what is mounted goes away with us
fi
shift
while getopts b:r:s option; do
    case $option in
    b) build=$OPTARG ;;
    r) root=$OPTARG ;;
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
[ -x "$build/memtrace" ] || complain "no $build/memtrace: build it first (./check does)"

in_root() {
    chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
        DEBIAN_FRONTEND=noninteractive PYTHONDONTWRITEBYTECODE=1 MEMTRACE="$build/memtrace" \
        MEMTRACE_TEST_QUICK="${MEMTRACE_TEST_QUICK:-}" "$@"
}

bind_read_only() {
    mkdir -p "$root$1"
    mount --bind "$1" "$root$1"
    mount -o remount,bind,ro "$root$1"
}

if [ ! -e "$root/etc/debian_version" ]; then
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' |
        head -n 1)
    [ -n "$mirror" ] || complain "apt of this system knows no mirror of Debian"
    echo "==> Debian forky in $root"
    rm -rf "$root.new"
    # The script of sid serves all newer releases; older debootstraps have none for forky.
    debootstrap --variant=minbase forky "$root.new" "$mirror" /usr/share/debootstrap/scripts/sid ||
        complain "debootstrap failed: $root.new/debootstrap/debootstrap.log"
    mv "$root.new" "$root"
fi
cp -L /etc/resolv.conf "$root/etc/resolv.conf"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
mount -t proc proc "$root/proc"

echo "==> Packages"
in_root apt-get -o Acquire::Check-Valid-Until=false -q update
wanted="gcc git libc6-dev procps gnuplot-nox libzstd1 libjansson4 libdw1t64"
wanted="$wanted python3-pytest python3-pytest-xdist"
for version in 3.13 3.14 3.15 3.16; do
    wanted="$wanted python$version python$version-dev"
    [ -z "$suite" ] || wanted="$wanted libpython$version-testsuite"
done
packages=
for package in $wanted; do
    if in_root apt-cache show "$package" >/dev/null 2>&1; then
        packages="$packages $package"
    else
        echo "skipped, not in forky: $package"
    fi
done
# shellcheck disable=SC2086  # a list of words
in_root apt-get -q -y install --no-install-recommends $packages

bind_read_only "$source"
case $build in "$source"/*) ;; *) bind_read_only "$build" ;; esac
in_root "$build/memtrace" --version >/dev/null || complain "memtrace does not run in $root"

cd /
if [ -n "$suite" ]; then
    echo "==> CPython's own tests"
    in_root sh -c 'cd && exec "$0" "$@"' python3 "$source/tests/cpython_suite.py" "$@"
    exit
fi
status=0
unit=$source/tests/unit/pyoffsets
echo "==> Offsets and line tables"
in_root python3 "$source/agent/generate_offsets.py" --check || status=1
in_root python3 "$unit/walk_check.py" "$build/tests/unit/pyoffsets/libpyoffsets_walk.so" || status=1
in_root python3 "$unit/check_lines.py" "$build/tests/unit/pyoffsets/check_lines" || status=1

echo "==> End-to-end tests"
if [ $# -eq 0 ]; then
    echo "skipped: test_install.py, which builds"
    set -- "$source/tests/e2e" --ignore "$source/tests/e2e/test_install.py"
fi
for argument in "$@"; do # tests are named as from the top of the source, too
    shift
    [ ! -e "$source/${argument%%::*}" ] || argument=$source/$argument
    set -- "$@" "$argument"
done
in_root python3 -m pytest -q -rs -n 2 -p no:cacheprovider --rootdir "$source" "$@" || status=1
exit $status
