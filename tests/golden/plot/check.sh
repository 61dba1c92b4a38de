#!/bin/sh
# One test of `memtrace plot`: check.sh CASE MEMTRACE MAKE_TRACE ASSEMBLE
# MEMTRACE_REWRITE=1 writes what is expected anew.
set -eu
case=$1 memtrace=$(realpath "$2") make_trace=$(realpath "$3") assemble=$(realpath "$4")
scenes=$(cd "$(dirname "$0")/../traces" && pwd)
expected=$(cd "$(dirname "$0")" && pwd)/expected
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
unset COLUMNS LINES NO_COLOR || :
export TZ=UTC LC_ALL=C.UTF-8

fail() {
    echo "$*" >&2
    exit 1
}

traces() {
    for name in "$@"; do
        "$make_trace" "$name" "$name.mtrace"
    done
}

same() { # FILE, as it should be
    if [ "${MEMTRACE_REWRITE:-}" ]; then
        mkdir -p "$expected"
        cp "$1" "$expected/$1"
    fi
    diff -u "$expected/$1" "$1"
}

# Runs a command that must fail: with this status, and these words on stderr.
fails() {
    want=$1 words=$2
    shift 2
    status=0
    "$@" >out 2>err || status=$?
    [ "$status" = "$want" ] || fail "$*: status $status, not $want: $(cat err)"
    grep -qF -- "$words" err || fail "$*: said: $(cat err)"
}

# The first bytes of a file, in hexadecimal.
magic() {
    od -An -tx1 -N"$2" "$1" | tr -d ' \n'
}

# Width and height of a PNG.
png_size() {
    od -An -tu1 -j16 -N8 "$1" | awk '{ print $3 * 256 + $4 "x" $7 * 256 + $8 }'
}

is_png() {
    [ "$(magic "$1" 8)" = 89504e470d0a1a0a ] || fail "$1 is no PNG"
    [ "$(png_size "$1")" = "$2" ] || fail "$1 is $(png_size "$1"), not $2"
    [ "$(wc -c <"$1")" -gt 5000 ] || fail "$1 is too small to show anything"
}

case $case in
data)
    traces small many
    "$memtrace" plot --format csv small.mtrace >small.csv
    "$memtrace" plot -o small.json small.mtrace
    "$memtrace" plot --window 0.5,1 -o window.csv small.mtrace
    same small.csv
    same small.json
    same window.csv
    "$memtrace" plot --format csv many.mtrace | cut -d, -f1,2 | sort -u >processes.csv
    same processes.csv
    ;;
script)
    # The template is a file of its own: what comes before it is what is generated.
    traces small many hostile hour
    for name in small many hostile; do
        "$memtrace" plot --format gnuplot "$name.mtrace" |
            sed '/^# What all pictures of/,$d' >"$name.gp"
        same "$name.gp"
    done
    "$memtrace" plot --format gnuplot hour.mtrace >hour.gp
    points=$(sed -n '/^\$total/,/^EOD/p' hour.gp | wc -l)
    [ "$points" -gt 2000 ] && [ "$points" -le 4002 ] || fail "$points points of a long trace"
    # The peak of all samples is still there.
    highest=$("$memtrace" plot --format csv hour.mtrace |
        awk -F, 'NR > 1 && $8 > most { most = $8 } END { printf "%.3f", most / 1048576 }')
    shown=$(sed -n '/^\$total/,/^EOD/p' hour.gp |
        awk 'NF == 6 && $6 > most { most = $6 } END { printf "%.3f", most }')
    [ "$highest" = "$shown" ] || fail "the highest point is $shown, not $highest"
    ;;
terminal)
    traces growth three small tiny
    "$assemble" "$scenes/phases.txt" phases.mtrace
    "$assemble" "$scenes/sampled.txt" sampled.mtrace
    "$memtrace" plot -t sampled.mtrace | grep -q 'peak 11.0 MiB ± ' || fail "no error at the peak"
    LC_ALL=C "$memtrace" plot -t sampled.mtrace | grep -q 'peak 11.0 MiB +/- ' || fail "not in ASCII"
    "$memtrace" plot -t phases.mtrace >phases.txt
    LC_ALL=C "$memtrace" plot -t --size 60x18 phases.mtrace >phases-small.txt
    LC_ALL=C "$memtrace" plot --terminal growth.mtrace >growth.txt
    "$memtrace" plot -t --size 80x24 three.mtrace >three.txt
    "$memtrace" plot -t --size 60x16 --title 'Ünïcode title' small.mtrace >small.txt
    LC_ALL=C "$memtrace" plot -t --size 60x16 --title 'Ünïcode title' tiny.mtrace >tiny.txt
    for name in growth three small tiny phases phases-small; do
        same "$name.txt"
    done
    ! LC_ALL=C grep -q "$(printf '\033')" ./*.txt || fail "colours in a pipe"
    [ "$(wc -L <growth.txt)" -le 100 ] || fail "wider than a terminal"
    ;;
pictures)
    traces growth three short tiny gib
    [ "$("$memtrace" plot growth.mtrace)" = growth.png ] || fail "another name"
    is_png growth.png 1200x700
    mkdir below
    (cd below && "$memtrace" plot ../growth.mtrace && [ -s growth.png ])
    for name in three short tiny gib; do
        "$memtrace" plot --size 600x400 -o "$name.png" "$name.mtrace" >/dev/null
        is_png "$name.png" 600x400
    done
    "$memtrace" plot -o three.svg three.mtrace >/dev/null
    grep -q '<svg' three.svg && grep -q '</svg>' three.svg && grep -q 'RSS of all' three.svg ||
        fail "no SVG"
    "$memtrace" plot -o three.PDF three.mtrace >/dev/null
    [ "$(magic three.PDF 5)" = 255044462d ] || fail "no PDF"
    # Written through a link, with the permissions of a new file.
    umask 027
    touch target.png && ln -s target.png link.png
    "$memtrace" plot -o link.png short.mtrace >/dev/null
    [ -h link.png ] && is_png target.png 1200x700
    [ "$(stat -c %a target.png)" = 640 ] || fail "mode $(stat -c %a target.png)"
    ;;
hostile)
    traces hostile
    title=$(printf '`touch executed`\047"; system("touch executed")\n!touch executed\n\033[31m{/*9 x}@_^ \\ \377 $(touch executed)')
    for format in png svg pdf gnuplot text; do
        "$memtrace" plot --format "$format" -o "one.$format" hostile.mtrace >/dev/null
        "$memtrace" plot --format "$format" --title "$title" -o "two.$format" hostile.mtrace \
            >/dev/null
        [ -s "one.$format" ] && [ -s "two.$format" ] || fail "no $format"
    done
    is_png one.png 1200x700
    is_png two.png 1200x700
    ! LC_ALL=C grep -q "$(printf '[\033\377]')" two.svg two.text || fail "unprintable bytes"
    grep -qF '{/*9 x}@_^ \' two.svg || fail "a title that is not literal"
    gnuplot -d two.gnuplot >again.png && cmp again.png two.png
    # Names of files are not commands either.
    "$memtrace" plot -o '|touch executed;.png' hostile.mtrace >/dev/null
    is_png '|touch executed;.png' 1200x700
    cp hostile.mtrace '`touch executed`.mtrace'
    "$memtrace" plot '`touch executed`.mtrace' >/dev/null
    is_png '`touch executed`.png' 1200x700
    [ ! -e executed ] || fail "a command was executed"
    ;;
errors)
    traces growth empty
    plot="$memtrace plot"
    fails 2 'suffix' $plot -o plot.jpg growth.mtrace
    fails 2 '.pdf' $plot -o plot growth.mtrace
    fails 2 'jpg' $plot --format jpg growth.mtrace
    fails 2 '1200x700' $plot --size 12 growth.mtrace
    fails 2 '5,10' $plot --window 5 growth.mtrace
    fails 2 'later' $plot --window 5,5 growth.mtrace
    fails 2 'one trace at a time' $plot --key caller growth.mtrace empty.mtrace
    fails 2 'give -o' $plot -t growth.mtrace empty.mtrace
    fails 2 'for pictures' $plot -t --slope growth.mtrace
    fails 2 'for pictures' $plot -t --key caller growth.mtrace
    fails 2 'too many' $plot 1 2 3 4 5 6 7 8 9
    fails 2 'there are: auto, KiB, B' $plot --units MB growth.mtrace
    fails 2 'from 1 to 12' $plot --limit 13 growth.mtrace
    fails 2 'no key that can be stacked' $plot --key traceback growth.mtrace
    fails 1 'one trace at a time' $plot --format json growth.mtrace growth.mtrace
    fails 1 'no such process' $plot --process 4711 growth.mtrace
    fails 1 'nothing to draw' $plot growth.mtrace empty.mtrace
    fails 1 'no sample' $plot --window 100,200 growth.mtrace
    fails 1 'nothing to draw' $plot empty.mtrace
    fails 1 'missing.mtrace' $plot missing.mtrace
    fails 1 'No such file' $plot -o none/plot.png growth.mtrace
    fails 1 'No space' $plot --format png -o /dev/full growth.mtrace
    fails 1 'No space' $plot --format csv -o /dev/full growth.mtrace
    fails 1 'apt-get install gnuplot-nox (or use --format csv)' \
        env PATH=/nonexistent $plot growth.mtrace
    PATH=/nonexistent $plot --format csv growth.mtrace >growth.csv
    # A gnuplot that fails half-way: its words are shown, no picture is left, an old one stays.
    mkdir bin
    printf '#!/bin/sh\necho half\necho broken font >&2\nexit 3\n' >bin/gnuplot
    chmod +x bin/gnuplot
    fails 1 'broken font' env PATH=$directory/bin:$PATH $plot growth.mtrace
    echo old >old.png
    fails 1 'broken font' env PATH=$directory/bin:$PATH $plot -o old.png growth.mtrace
    [ "$(cat old.png)" = old ] || fail "the old picture is gone"
    [ -z "$(ls | grep png | grep -v '^old.png$')" ] || fail "left behind: $(ls)"
    ;;
more)
    # Marks, regions, the limit, the slope, a key, one process, several traces.
    "$assemble" "$scenes/phases.txt" phases.mtrace
    traces growth three
    script() { # NAME, options
        name=$1
        shift
        "$memtrace" plot --format gnuplot "$@" | sed '/^# What all pictures of/,$d' >"$name"
        same "$name"
    }
    script phases.gp --slope phases.mtrace
    script phases-key.gp --key caller --limit 2 phases.mtrace
    script phases-window.gp --window 9,11 --sum --process 77 phases.mtrace
    "$memtrace" plot --format gnuplot phases.mtrace three.mtrace growth.mtrace |
        sed -n '/^title_text/,/^\$traces/p' >overlay.gp
    same overlay.gp
    # Of a long name both ends, as much as there is room for.
    long=cache-of-the-service-before-the-change-that-made-all-of-its-entries-larger-than-they-were-run-17
    cp growth.mtrace "$long.mtrace"
    "$memtrace" plot --format gnuplot growth.mtrace "$long.mtrace" >long.gp
    grep -q "trace_titles.2. = 'cache-of-the-service-before-.*[.]\{3\}.*-run-17[.]mtrace: RSS up to" long.gp ||
        fail "another name: $(grep trace_titles long.gp)"
    # For characters that no font has a picture made with Cairo has others, or they would cover it.
    mkdir bin
    printf '#!/bin/sh\ncase $1 in :charset=540d) echo font ;; esac\n' >bin/fc-list
    printf '#!/bin/sh\ncat >&2\nexit 3\n' >bin/gnuplot
    chmod +x bin/fc-list bin/gnuplot
    for format in png pdf svg; do
        title=$([ $format = svg ] && echo 'é 名 🎉 א' || echo 'é 名 □ ?')
        fails 1 "'$title'" env PATH="$directory/bin:$PATH" \
            "$memtrace" plot --title 'é 名 🎉 א' --format $format -o glyphs growth.mtrace
    done
    # The room for names is in columns, of which some characters take two.
    sed 's/thumbnail/縮小版の画像を作る関数/' "$scenes/phases.txt" >wide.txt
    "$assemble" wide.txt wide.mtrace
    "$memtrace" plot --key caller --format gnuplot wide.mtrace >wide.gp
    grep -q "^stack_titles.*'images.py:40 縮小版の画像を作る関数, up to" wide.gp ||
        fail "another name: $(grep ^stack_titles wide.gp)"
    "$memtrace" plot --slope -o phases.json phases.mtrace
    "$memtrace" plot --key lineno --limit 2 -o phases-key.json phases.mtrace
    "$memtrace" plot --slope --process 78 -o phases.csv phases.mtrace
    "$memtrace" plot --key module --limit 1 -o phases-key.csv phases.mtrace
    "$memtrace" plot -o all.csv phases.mtrace growth.mtrace
    for name in phases.json phases-key.json phases.csv phases-key.csv; do
        same "$name"
    done
    # Of a program's path the name is the title, of code that was given all of it.
    sed 's#python3 a.py#/usr/bin/python3 -I -c open("/etc/hosts") /x/y#' "$scenes/sampled.txt" >code.txt
    "$assemble" code.txt code.mtrace
    "$memtrace" plot --format gnuplot code.mtrace >code.gp
    grep -qF "title_text = 'python3 -I -c open(\"/etc/hosts\") /x/y'" code.gp ||
        fail "another title: $(grep ^title_text code.gp)"
    # All sizes of one unit: axis, legend, peak, limit; of several traces too.
    "$memtrace" plot --units KiB --format gnuplot phases.mtrace >kib.gp
    "$memtrace" plot --units B -t --size 100x24 phases.mtrace >bytes.txt
    "$memtrace" plot --units KiB --format gnuplot phases.mtrace growth.mtrace >kib-overlay.gp
    for words in "size_label = 'memory (KiB)'" "peak_text = 'peak [0-9]*[.][0-9] KiB at" \
        "'limit 131072.0 KiB'"; do
        grep -q "$words" kib.gp || fail "no $words"
    done
    grep -q 'limit 134217728 B' bytes.txt || fail "no bytes: $(cat bytes.txt)"
    grep -q "RSS up to [0-9.]* KiB, live [0-9.]* KiB'" kib-overlay.gp || fail "no KiB"
    ! grep -E '[0-9] [MG]iB[ ,]' kib.gp bytes.txt kib-overlay.gp || fail "another unit"
    # Shells around the programs have no lines of their own.
    "$assemble" "$scenes/helpers.txt" helpers.mtrace
    "$memtrace" plot --format gnuplot -o - helpers.mtrace | grep '^process_titles.*=' >helpers.txt
    same helpers.txt
    # Samples have errors.
    "$assemble" "$scenes/sampled.txt" sampled.mtrace
    script sampled.gp sampled.mtrace
    "$memtrace" plot -o sampled.csv sampled.mtrace
    "$memtrace" plot --format json -o - sampled.mtrace >sampled.json
    same sampled.csv
    same sampled.json
    "$memtrace" plot -o sampled.svg sampled.mtrace >/dev/null
    grep -q 'error of the estimate' sampled.svg || fail "no error in the picture"
    head -2 all.csv >overlay.csv
    same overlay.csv
    for format in png svg pdf; do
        "$memtrace" plot --key caller --slope -o "key.$format" phases.mtrace >/dev/null
        "$memtrace" plot -o "several.$format" phases.mtrace three.mtrace >/dev/null
        [ -s "key.$format" ] && [ -s "several.$format" ] || fail "no $format"
    done
    is_png key.png 1200x700
    is_png several.png 1200x700
    for word in 'serve.py' 'cache.py:7 put' 'MiB/min' 'limit 128.0 MiB' 'reload' 'request'; do
        grep -qF "$word" key.svg || fail "no '$word' in the picture"
    done
    ;;
*)
    fail "no such case: $case"
    ;;
esac
