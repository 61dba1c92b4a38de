letters = 'sans,11'
title_letters = ',14.96'
scale = 1
if (strstrt(GPVAL_TERMINALS, 'pngcairo')) {
    set terminal pngcairo noenhanced size 1200,700 background '#ffffff'
} else {
    set terminal png noenhanced truecolor size 1200,700
}
title_text = 'python3 a.py'
subtitle_text = '2023-11-14 22:13:20, Python 3.11.2, 2.00 s'
time_label = 'time (s)'
size_label = 'memory (MiB)'
x_min = 0.000000
x_max = 2.000000
y_max = 22.500000
line = 0.024286
key_columns = 3
key_rows = 2
rss_title = 'RSS, peak 20.0 MiB'
native_title = 'native, 2.0 MiB at the peak'
python_title = 'Python, 9.0 MiB at the peak'
mapped_title = 'mapped, peak 0 B'
peak_shown = 1
peak_x = 1.500000
peak_y = 11.000000
peak_text = 'peak 11.0 MiB ± 971.6 KiB at 1.50 s'
mapped_shown = 0
spikes_shown = 0
errors_shown = 1
marks = 0
array mark_x[200]
array mark_text[200]
bands = 0
lanes = 0
array band_from[400]
array band_to[400]
array band_lane[400]
array band_color[400]
array band_text[400]
limit = 0
limit_text = 'limit 0 B'
slope_shown = 0
slope_text = 'RSS +0 MiB/min, live +0 MiB/min'
slope_from = 0
slope_to = 0
slope_rss_from = 0
slope_rss_to = 0
slope_live_from = 0
slope_live_to = 0
stacked = 0
array stack_titles[12]
others_title = 'all else'
processes = 0
array process_titles[8]
$processes << EOD
EOD
$total << EOD
0 0 0 0 0 0 0 0
0.5 9 2 20 0 11 10.369405 11.630595
1.5 9 2 20 0 11 10.051147 11.948853
2 9 2 20 0 11 10.363483 11.636517
EOD
