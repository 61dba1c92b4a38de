# Memory over time in characters.  `memtrace plot` puts the settings and the
# data before it; this file has no data and knows no trace.
#
# Settings: title_text, subtitle_text, time_label, size_unit, x_min, x_max,
# y_max, rows, utf8; peak_shown, peak_x, peak_left, peak_text; for python,
# native, rss and spikes: NAME_at (column of its place in the legend) and NAME_title.
# limit_shown, limit_y, limit_text; notes: lines below, whose labels are there already.
# $python, $native, $spikes, $rss, $peak, $limit: the cells of each, time and size.

set encoding utf8
python_sign = utf8 ? '█' : '#'
native_sign = utf8 ? '▒' : ':'
spikes_sign = utf8 ? '·' : '.'
rss_sign = utf8 ? '•' : '*'
peak_sign = utf8 ? '┆' : '|'
limit_sign = utf8 ? '╌' : '-'
color_python = '#5f87d7'
color_native = '#d7af5f'
color_rss = '#d75faf'
color_peak = '#ff5f5f'
color_limit = '#d70000'

set border 3
set tics nomirror scale 0
set lmargin 9
set rmargin 2
set tmargin 4
set bmargin 3 + notes
set xrange [x_min:x_max] noextend
set yrange [0:y_max] noextend
set format x '%g'
set format y '%g '.size_unit
set xlabel time_label
unset key

set label 1 title_text at character 9, rows - 1 left
set label 2 subtitle_text at character 9, rows - 2 left
set label 3 python_sign at character python_at, rows - 3 left textcolor rgb color_python
set label 4 python_title at character python_at + 2, rows - 3 left
set label 5 native_sign at character native_at, rows - 3 left textcolor rgb color_native
set label 6 native_title at character native_at + 2, rows - 3 left
set label 7 rss_sign at character rss_at, rows - 3 left textcolor rgb color_rss
set label 8 rss_title at character rss_at + 2, rows - 3 left
if (spikes_at) {
    set label 9 spikes_sign at character spikes_at, rows - 3 left textcolor rgb color_native
    set label 10 spikes_title at character spikes_at + 2, rows - 3 left
}
if (peak_shown && peak_left) {
    set label 11 peak_text.' ' at peak_x, graph 1 right front textcolor rgb color_peak
}
if (peak_shown && !peak_left) {
    set label 11 ' '.peak_text at peak_x, graph 1 left front textcolor rgb color_peak
}
if (limit_shown) {
    set label 12 limit_text at x_min, limit_y left offset character 2, 0 front \
        textcolor rgb color_limit
}

plot \
    $limit with points pointtype limit_sign linecolor rgb color_limit, \
    $python with points pointtype python_sign linecolor rgb color_python, \
    $native with points pointtype native_sign linecolor rgb color_native, \
    $spikes with points pointtype spikes_sign linecolor rgb color_native, \
    $peak with points pointtype peak_sign linecolor rgb color_peak, \
    $rss with points pointtype rss_sign linecolor rgb color_rss
