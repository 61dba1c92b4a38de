#!/bin/sh
# Unit and golden tests under sanitizers: what they find is a failure.
#
#     sanitize.sh [address|thread|valgrind]...     all three by default; builds below $SANITIZE_WORK
#
# address   the tools and the unit tests with AddressSanitizer, LeakSanitizer and
#           UndefinedBehaviorSanitizer (the agent is built without: it is loaded into programs
#           that know of neither)
# thread    the test of the rings, where producers and the collector share memory, with
#           ThreadSanitizer
# valgrind  every report of the golden traces under memcheck
#
# Ends with 77 where a tool is missing.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
work=${SANITIZE_WORK:-$root/build-sanitize}
mkdir -p "$work"

build() { # DIRECTORY SANITIZERS [TARGET...]
    directory=$1 sanitizers=$2
    shift 2
    [ -f "$work/$directory/build.ninja" ] ||
        meson setup "$work/$directory" "$root" -Db_sanitize="$sanitizers" -Db_lundef=false \
            -Dbuildtype=debugoptimized >"$work/$directory.log"
    ninja -C "$work/$directory" "$@" >"$work/$directory.log" 2>&1 ||
        { tail -20 "$work/$directory.log"; exit 1; }
}

address() {
    build address address,undefined
    # Memory that a killed collector had is not freed, it is lost with its file: test_definitions
    # plays that without a file.
    ASAN_OPTIONS=abort_on_error=0:detect_stack_use_after_return=1 \
    UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
    LSAN_OPTIONS=suppressions=$root/tests/lsan.supp:print_suppressions=0 \
        meson test -C "$work/address" --no-rebuild --print-errorlogs --timeout-multiplier 10 \
        --suite unit --suite golden
}

thread() {
    build thread thread tests/unit/collect/test_rings
    TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1 \
        "$work/thread/tests/unit/collect/test_rings"
}

memcheck() { # ARGUMENTS
    LC_ALL=C.UTF-8 valgrind -q --error-exitcode=99 --leak-check=no "$work/plain/memtrace" "$@" \
        >/dev/null 2>"$work/valgrind.log" || [ $? != 99 ] || { echo "$*"; cat "$work/valgrind.log"; exit 1; }
}

valgrind_goldens() {
    command -v valgrind >/dev/null || { echo "no valgrind here" >&2; exit 77; }
    [ -f "$work/plain/build.ninja" ] ||
        meson setup "$work/plain" "$root" -Dbuildtype=debugoptimized >"$work/plain.log"
    ninja -C "$work/plain" >"$work/plain.log"
    for text in tests/golden/traces/*.txt; do
        trace=$work/$(basename "$text" .txt).mtrace
        "$work/plain/tests/golden/assemble" "$text" "$trace"
        for command in info top tree lines stats leaks; do
            for format in text json csv; do
                memcheck "$command" --format "$format" "$trace"
            done
        done
        memcheck diff "$trace" "$trace"
        memcheck flame -o "$work/out.html" "$trace"
        memcheck flame -o "$work/out.svg" "$trace"
        for to in tracemalloc mprof speedscope pprof folded pstats; do
            memcheck export --to "$to" -o "$work/out" "$trace"
        done
    done
}

for what in ${*:-address thread valgrind}; do
    echo "==> $what"
    case $what in
    address) address ;;
    thread) thread ;;
    valgrind) valgrind_goldens ;;
    *) sed -n '2,4p' "$0" >&2; exit 2 ;;
    esac
done
