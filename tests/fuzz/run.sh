#!/bin/sh
# Runs the fuzzers under libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer.
#
#     run.sh [SECONDS [NAME...]]      60 seconds each, all of them
#
# Starts from tests/fuzz/corpus/NAME; what it finds is kept in $FUZZ_WORK (build-fuzz).
# A failure leaves its input there and ends with status 1.
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-60}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- pylines reader drain
work=${FUZZ_WORK:-build-fuzz}
clang=$(command -v clang || ls /usr/bin/clang-[0-9]* 2>/dev/null | tail -1 || true)
[ -n "$clang" ] || { echo "no clang here: not fuzzed" >&2; exit 77; }

rm -rf "$work/objects"
mkdir -p "$work/objects"
echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' >"$work/probe.c"
"$clang" -fsanitize=fuzzer,address "$work/probe.c" -o "$work/probe" 2>"$work/probe.log" ||
    { echo "$clang has no libFuzzer here: not fuzzed" >&2; exit 77; }
flags="-g -O1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined
    -fno-sanitize-recover=all -std=gnu11 -D_GNU_SOURCE -DMEMTRACE_VERSION=\"fuzz\"
    -DMEMTRACE_LIBDW=0 -DMEMTRACE_LIBIBERTY=0 -DMEMTRACE_AGENT_RELATIVE=\"\" -DMEMTRACE_AGENT_INSTALLED=\"\" -Iinclude -Itools -Itests/fuzz"
export clang flags work
# shellcheck disable=SC2016
ls tools/trace/*.c tools/collect/*.c | xargs -P 2 -I{} sh -c \
    '$clang $flags -c {} -o "$work/objects/$(echo {} | tr / _).o"'
for name; do
    echo "==> $name, $seconds s"
    # shellcheck disable=SC2086
    "$clang" $flags -fsanitize=fuzzer "tests/fuzz/fuzz_$name.c" "$work"/objects/*.o \
        -o "$work/fuzz_$name" -lzstd -ljansson -lpthread -ldl -lm ||
        { echo "fuzz_$name does not link" >&2; exit 77; }
    mkdir -p "$work/$name"
    "$work/fuzz_$name" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -max_len=16384 \
        -print_final_stats=1 -artifact_prefix="$work/$name-" "$work/$name" \
        "tests/fuzz/corpus/$name" >"$work/$name.log" 2>&1 || {
        tail -n 60 "$work/$name.log"
        exit 1
    }
    grep -E 'cov:|number_of_executed' "$work/$name.log" | tail -n 2
done
