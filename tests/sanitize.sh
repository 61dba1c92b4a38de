#!/bin/sh
# Tests under sanitizers: what they find is a failure.
#
#     sanitize.sh [address|thread|valgrind]...     all three by default; builds below $SANITIZE_WORK
#     sanitize.sh e2e [TEST OR OPTION OF PYTEST...]     CC=clang sanitize.sh e2e
#
# address   the tools and the unit tests with AddressSanitizer, LeakSanitizer and
#           UndefinedBehaviorSanitizer (the agent is built without: it is loaded into programs
#           that know of neither)
# thread    the test of the rings, where producers and the collector share memory, with
#           ThreadSanitizer
# valgrind  every report of the golden traces under memcheck
# e2e       the end-to-end tests, with the system's interpreter, on a collector and reports that were
#           built with AddressSanitizer and UndefinedBehaviorSanitizer; some minutes
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

# What says more of the sanitizers than of memtrace: other allocators preloaded into the collector too,
# its memory under a limit, its memory damaged, a build of its own, and what takes too long then.
NOT_E2E="--ignore tests/e2e/test_allocators.py --ignore tests/e2e/test_install.py
    --deselect tests/e2e/test_faults.py::test_what_tracing_takes
    --deselect tests/e2e/test_faults.py::test_the_memory_of_the_collector
    --deselect tests/e2e/test_instructions.py::test_no_more_than_recorded
    --deselect tests/e2e/test_leaks.py::test_growth_for_each_request"

# Their options are compiled in, as the tests choose their programs' environments.  No leaks: runs
# that fail end without giving anything back.
compile_options() { # OUT.o DIRECTORY_OF_REPORTS
    common="log_path=$2/report:log_exe_name=1:print_stacktrace=1"
    ${CC:-cc} -x c -c -o "$1" - <<END
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);
const char *__asan_default_options(void)
{
    return "$common:verify_asan_link_order=0:detect_leaks=0:detect_stack_use_after_return=1";
}
const char *__ubsan_default_options(void)
{
    return "$common:halt_on_error=1";
}
END
}

e2e() { # ARGUMENTS OF PYTEST
    tree=$work/e2e-$(basename "${CC:-cc}") reports=$work/reports
    rm -rf "$reports"
    mkdir -p "$reports" "$work/home"
    compile_options "$work/options.o" "$reports"
    [ -f "$tree/build.ninja" ] ||
        meson setup "$tree" "$root" -Db_sanitize=address,undefined -Db_lundef=false \
            -Dbuildtype=debugoptimized -Dc_link_args="$work/options.o" >"$tree.log"
    ninja -C "$tree" >"$tree.log" 2>&1 ||
        { tail -20 "$tree.log"; exit 1; }
    build plain none agent/libmemtrace.so # the agent has no sanitizer, and nothing of their options
    cp "$work/plain/agent/libmemtrace.so" "$tree/agent/"
    status=0
    # shellcheck disable=SC2086  # a list of words
    env -u MEMTRACE_TEST_PYTHONS HOME="$work/home" PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        MEMTRACE="$tree/memtrace" \
        /usr/bin/python3 -m pytest -q -n 2 -p no:cacheprovider $NOT_E2E "${@:-tests/e2e}" || status=1
    for report in "$reports"/*; do
        [ -f "$report" ] && { status=1; head -40 "$report"; }
    done
    exit $status
}

[ "${1:-}" != e2e ] || { shift; e2e "$@"; }
for what in ${*:-address thread valgrind}; do
    echo "==> $what"
    case $what in
    address) address ;;
    thread) thread ;;
    valgrind) valgrind_goldens ;;
    *) sed -n '2,5p' "$0" >&2; exit 2 ;;
    esac
done
