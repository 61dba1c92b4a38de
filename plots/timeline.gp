# Memory over time as a picture.  `memtrace plot` puts the settings and the
# data before it; this file has no data and knows no trace.
#
# Settings: letters, title_letters (fonts), scale (1 at 1200x700), line (height
# of a line of text as a part of the picture's), key_columns and key_rows of the
# legend; title_text, subtitle_text, time_label, size_label, x_min, x_max, y_max;
# peak_shown, peak_x, peak_y, peak_text; mapped_shown, spikes_shown;
# python_title, native_title, rss_title, mapped_title; processes and
# process_titles[].
# $total: time, python, native, RSS, mapped, high.  $processes: an index for
# each process, time and RSS.  No column here is a text.

color_python = '#5b9bd0'
color_native = '#f4be5e'
color_spikes = '#fbe6bf'
color_outline = '#c4861a'
color_mapped = '#00664d'
color_rss = '#000000'
color_peak = '#c1272d'
color_faint = '#d9d9d9'
color_text = '#303030'
array color_process[8] = ['#7b1fa2', '#00563b', '#b3123f', '#1b3a6b', '#6d4100', '#c71585', \
    '#455a64', '#7a7a00']

set encoding utf8
set termoption noenhanced
set termoption font letters
set termoption linewidth scale
set border 3 linecolor rgb '#808080' linewidth 1
set tics nomirror out scale 0.6 textcolor rgb color_text
set grid xtics ytics back linetype 1 linecolor rgb color_faint linewidth 1
set xrange [x_min:x_max] noextend
set yrange [0:y_max] noextend
set format x '%g'
set format y '%g'
set xlabel time_label textcolor rgb color_text offset 0, 0.3
set ylabel size_label textcolor rgb color_text offset 0.5, 0
set lmargin 9
set rmargin 3
set bmargin 3.8
set tmargin 4.6 + 1.3 * key_rows

set label 1 title_text at graph 0, screen 1 - 1.5 * line left font title_letters textcolor rgb '#000000'
set label 2 subtitle_text at graph 0, screen 1 - 3.1 * line left textcolor rgb '#707070'
set key at graph 0, screen 1 - 4 * line left top Left reverse horizontal maxcols key_columns \
    samplen 2 spacing 1.15 width 1 textcolor rgb color_text

if (peak_shown) {
    set arrow 1 from x_min, peak_y to x_max, peak_y nohead front \
        linecolor rgb color_peak linewidth 1.3 dashtype (9, 7)
    set arrow 2 from peak_x, 0 to peak_x, y_max nohead front \
        linecolor rgb color_peak linewidth 1.3 dashtype (9, 7)
    if (peak_x - x_min > 0.6 * (x_max - x_min)) {
        set label 3 peak_text at peak_x, graph 0.975 right offset character -0.8, 0 front \
            textcolor rgb color_peak
    } else {
        set label 3 peak_text at peak_x, graph 0.975 left offset character 0.8, 0 front \
            textcolor rgb color_peak
    }
}

# A loop that runs no time would leave a gap in the legend: what is not always there is put
# together here, lines below the RSS and entries of the legend after its own.
lines = ''
entries = ''
if (spikes_shown) {
    entries = entries.", NaN with boxes fillstyle solid border linecolor rgb color_outline" \
        ." fillcolor rgb color_spikes title 'highest between samples'"
}
if (mapped_shown) {
    lines = lines.", $total using 1:5 with lines linecolor rgb color_mapped linewidth 1.6" \
        ." dashtype 2 notitle"
    entries = entries.", NaN with lines linecolor rgb color_mapped linewidth 1.6 dashtype 2" \
        ." title mapped_title"
}
if (processes) {
    lines = lines.", for [i = 1:processes] $processes index (i - 1) using 1:2 with lines" \
        ." linecolor rgb '#60ffffff' linewidth 3.5 notitle" \
        .", for [i = 1:processes] $processes index (i - 1) using 1:2 with lines" \
        ." linecolor rgb color_process[i] linewidth 1.5 notitle"
    entries = entries.", for [i = 1:processes] NaN with lines" \
        ." linecolor rgb color_process[i] linewidth 1.5 title process_titles[i]"
}

set style fill solid 1 noborder
plot \
    $total using 1:6 with filledcurves y1=0 fillcolor rgb color_spikes notitle, \
    $total using 1:($2 + $3) with filledcurves y1=0 fillcolor rgb color_native notitle, \
    $total using 1:2 with filledcurves y1=0 fillcolor rgb color_python notitle, \
    $total using 1:6 with lines linecolor rgb color_outline linewidth 0.8 notitle @lines, \
    $total using 1:4 with lines linecolor rgb color_rss linewidth 2.5 title rss_title, \
    NaN with boxes fillcolor rgb color_native title native_title, \
    NaN with boxes fillcolor rgb color_python title python_title @entries
