# Several traces in one picture.  `memtrace plot` puts the settings, the data and
# style.gp before it; this file has no data and knows no trace.
#
# Settings beside those of style.gp: traces, trace_titles[].
# $traces: an index for each trace: time, RSS, live memory.

plot \
    for [i = 1:traces] $traces index (i - 1) using 1:3 with lines \
        linecolor rgb color_process[i] linewidth 1.4 dashtype (6, 3) notitle, \
    for [i = 1:traces] $traces index (i - 1) using 1:2 with lines \
        linecolor rgb color_process[i] linewidth 2.4 title trace_titles[i], \
    NaN with lines linecolor rgb color_text linewidth 2.4 title 'RSS', \
    NaN with lines linecolor rgb color_text linewidth 1.4 dashtype (6, 3) title 'live: Python and native'
