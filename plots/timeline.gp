# Memory over time as a picture.  `memtrace plot` puts the settings, the data and
# style.gp before it; this file has no data and knows no trace.
#
# Settings beside those of style.gp: peak_shown, peak_x, peak_y, peak_text; mapped_shown,
# spikes_shown, errors_shown; python_title, native_title, rss_title, mapped_title; processes and
# process_titles[]; marks, mark_x[], mark_text[]; bands, lanes and band_from[], band_to[],
# band_lane[], band_color[], band_text[]; limit (0: none), limit_text; slope_shown, slope_text,
# slope_from, slope_to and for rss and live slope_NAME_from, slope_NAME_to; stacked,
# stack_titles[], others_title.
# $total: time, python, native, RSS, mapped, high, and with errors_shown the least and the most that
# live memory may be.  $processes: an index for each process, time
# and RSS.  $stack: time and the tops of the rows.  No column here is a text.

lane = 0.045
top = 1 - lane * lanes

if (peak_shown) {
    set arrow 1 from x_min, peak_y to x_max, peak_y nohead front \
        linecolor rgb color_peak linewidth 1.3 dashtype (9, 7)
    set arrow 2 from peak_x, 0 to peak_x, y_max nohead front \
        linecolor rgb color_peak linewidth 1.3 dashtype (9, 7)
    if (peak_x - x_min > 0.6 * (x_max - x_min)) {
        set label 3 peak_text at peak_x, graph top - 0.025 right offset character -0.8, 0 front \
            boxed textcolor rgb color_peak
    } else {
        set label 3 peak_text at peak_x, graph top - 0.025 left offset character 0.8, 0 front \
            boxed textcolor rgb color_peak
    }
}

do for [i = 1:bands] {
    y = 1 - lane * (band_lane[i] + 0.88)
    c = color_band[band_color[i]]
    set object 100 + i rectangle from band_from[i], graph y to band_to[i], graph y + 0.76 * lane \
        front fillcolor rgb c + 0x70000000 fillstyle solid border linecolor rgb c
    set object 600 + i rectangle from band_from[i], graph 0 to band_to[i], graph y \
        back fillcolor rgb c + 0xf0000000 fillstyle solid noborder
    set arrow 100 + 2 * i from band_from[i], graph 0 to band_from[i], graph y nohead front \
        linecolor rgb c + 0x60000000 linewidth 1 dashtype (2, 3)
    set arrow 101 + 2 * i from band_to[i], graph 0 to band_to[i], graph y nohead front \
        linecolor rgb c + 0x60000000 linewidth 1 dashtype (2, 3)
    set label 100 + i band_text[i] at 0.5 * (band_from[i] + band_to[i]), graph y + 0.38 * lane \
        center front textcolor rgb color_text
}
do for [i = 1:marks] {
    set arrow 1000 + i from mark_x[i], graph 0 to mark_x[i], graph top nohead front \
        linecolor rgb color_mark linewidth 1 dashtype (5, 4)
    if (mark_text[i] ne '') {
        set label 1000 + i mark_text[i] at mark_x[i], graph top - 0.05 right rotate by 90 \
            offset character 1.1, 0 front boxed textcolor rgb color_mark
    }
}
if (limit) {
    set arrow 3 from x_min, limit to x_max, limit nohead front \
        linecolor rgb color_limit linewidth 1.8
    set label 4 limit_text at x_min, limit left offset character 0.8, -0.8 front boxed \
        textcolor rgb color_limit
}
if (slope_shown) {
    set arrow 4 from slope_from, slope_rss_from to slope_to, slope_rss_to nohead front \
        linecolor rgb color_slope linewidth 1.6 dashtype (10, 4)
    set arrow 5 from slope_from, slope_live_from to slope_to, slope_live_to nohead front \
        linecolor rgb color_slope linewidth 1.6 dashtype (10, 4)
    set label 5 slope_text at graph 0.98, graph 0.04 right front boxed textcolor rgb color_slope
}

# A loop that runs no time would leave a gap in the legend: what is not always there is put
# together here, lines below the RSS and entries of the legend after its own.
lines = ''
entries = ''
if (spikes_shown) {
    entries = entries.", NaN with boxes fillstyle solid border linecolor rgb color_outline" \
        ." fillcolor rgb color_spikes title 'highest between samples'"
}
if (errors_shown) {
    entries = entries.", NaN with boxes fillcolor rgb color_errors title 'error of the estimate, 95 %'"
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

# Either Python and native, or the rows of a key, the topmost first.
areas = "$total using 1:6 with filledcurves y1=0 fillcolor rgb color_spikes notitle" \
    .", $total using 1:($2 + $3) with filledcurves y1=0 fillcolor rgb color_native notitle" \
    .", $total using 1:2 with filledcurves y1=0 fillcolor rgb color_python notitle" \
    .", $total using 1:6 with lines linecolor rgb color_outline linewidth 0.8 notitle"
titles = "NaN with boxes fillcolor rgb color_native title native_title" \
    .", NaN with boxes fillcolor rgb color_python title python_title"
if (stacked) {
    areas = "$total using 1:($2 + $3) with filledcurves y1=0 fillcolor rgb color_others notitle" \
        .", for [i = 0:stacked - 1] $stack using 1:(column(stacked - i + 1)) with filledcurves y1=0" \
        ." fillcolor rgb color_stack[stacked - i] notitle" \
        .", $total using 1:($2 + $3) with lines linecolor rgb '#606060' linewidth 0.8 notitle"
    titles = "for [i = 1:stacked] NaN with boxes fillcolor rgb color_stack[i] title stack_titles[i]" \
        .", NaN with boxes fillcolor rgb color_others title others_title"
}

if (errors_shown) {
    areas = areas.", $total using 1:7:8 with filledcurves fillcolor rgb color_errors notitle"
}

plot \
    @areas @lines, \
    $total using 1:4 with lines linecolor rgb color_rss linewidth 2.5 title rss_title, \
    @titles @entries
