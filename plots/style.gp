# What all pictures of `memtrace plot` share: colours, axes, the place of title and
# legend.  Settings: letters, title_letters (fonts), scale (1 at 1200x700), line
# (height of a line of text as a part of the picture's), key_columns and key_rows of
# the legend; title_text, subtitle_text, time_label, size_label, x_min, x_max, y_max.

color_python = '#5b9bd0'
color_native = '#f4be5e'
color_spikes = '#fbe6bf'
color_outline = '#c4861a'
color_errors = '#c0283c50'
color_mapped = '#00664d'
color_rss = '#000000'
color_peak = '#c1272d'
color_faint = '#d9d9d9'
color_text = '#303030'
array color_process[8] = ['#7b1fa2', '#00563b', '#b3123f', '#1b3a6b', '#6d4100', '#c71585', \
    '#455a64', '#7a7a00']
array color_stack[12] = ['#5b9bd0', '#f4be5e', '#6fb98f', '#e07b67', '#a78bc4', '#8c9a5b', \
    '#d795b6', '#57b3b8', '#b98e63', '#7387a8', '#c9b84c', '#a06b78']
color_others = '#d3d6da'
array color_band[6] = [0x7b1fa2, 0x00796b, 0xc2185b, 0x3f51b5, 0x8d6e00, 0x546e7a]
color_mark = '#4a148c'
color_limit = '#b00020'
color_slope = '#b34700'

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
set style fill solid 1 noborder
set style textbox opaque fillcolor '#38ffffff' noborder margins 0.4, 0.3
