#!/bin/sh
# What cppcheck finds in agent and tools, and with --tidy what clang-tidy finds too (minutes: it
# needs a build directory, whose compile_commands.json it reads).
#
#     static.sh [--tidy BUILD]
#
# Ends with 77 where cppcheck is missing.  What is left out is no style, but wrong:
#   varFuncNullUB       NULL is a pointer on every system that we run on
#   preprocessorErrorDirective   architectures that are refused
#   not-null-terminated-result   what follows is copied behind it; selfcheck.c is of another build
#   internalAstError    a program in Python that is included as a string
#   nullPointerRedundantCheck, autoVariables, identicalInnerCondition   each at one place: the
#       condition is that of the pointer it came from; the pointer is not used after its function;
#       a macro's own
set -eu
cd "$(dirname "$0")/.."
command -v cppcheck >/dev/null || { echo "no cppcheck here: not analysed" >&2; exit 77; }

cppcheck -q -j 2 --std=c11 --language=c --enable=warning,performance,portability \
    --inline-suppr --error-exitcode=1 --suppress=missingIncludeSystem --suppress=varFuncNullUB \
    --suppress=preprocessorErrorDirective --suppress=internalAstError:agent/module.c \
    --suppress=nullPointerRedundantCheck:tools/collect/forks.c \
    --suppress=autoVariables:tools/trace/tree.c --suppress=identicalInnerCondition:tools/trace/tree.c \
    -D_GNU_SOURCE -D__x86_64__ -D__linux__ -Iinclude -Itools -Iagent agent tools

[ "${1:-}" = --tidy ] || exit 0
tidy=$(command -v clang-tidy || ls /usr/bin/clang-tidy-[0-9]* 2>/dev/null | tail -1 || true)
[ -n "$tidy" ] || { echo "no clang-tidy here" >&2; exit 77; }
checks='-*,bugprone-*,clang-analyzer-*
    -bugprone-easily-swappable-parameters,-bugprone-reserved-identifier
    -bugprone-narrowing-conversions,-bugprone-implicit-widening-of-multiplication-result
    -bugprone-sizeof-expression,-bugprone-macro-parentheses,-bugprone-not-null-terminated-result
    -clang-analyzer-security.insecureAPI.*,-clang-analyzer-valist.Uninitialized'
git ls-files 'agent/*.c' 'tools/*.c' | grep -v agent/selfcheck.c |
    xargs -P 2 -n 4 "$tidy" -quiet -p "$2" -checks="$(echo $checks | tr ' ' ',')"
