letters = 'sans,11'
title_letters = ',14.96'
scale = 1
if (strstrt(GPVAL_TERMINALS, 'pngcairo')) {
    set terminal pngcairo noenhanced size 1200,700 background '#ffffff'
} else {
    set terminal png noenhanced truecolor size 1200,700
}
title_text = 'python3 serve.py --port 80'
subtitle_text = '2023-11-14 22:13:20, box, Python 3.12.1, 20.0 s'
time_label = 'time (s)'
size_label = 'memory (MiB)'
x_min = 9.000000
x_max = 11.000000
y_max = 66.315789
line = 0.024286
key_columns = 3
key_rows = 1
rss_title = 'RSS, peak 56.0 MiB'
native_title = 'native'
python_title = 'Python'
mapped_title = 'mapped, peak 0 B'
peak_shown = 0
peak_x = 13.750000
peak_y = 52.500000
peak_text = 'peak 52.5 MiB at 13.8 s'
mapped_shown = 0
spikes_shown = 0
errors_shown = 0
marks = 2
array mark_x[200]
array mark_text[200]
mark_x[1] = 10
mark_text[1] = 'reload'
mark_x[2] = 10.5
mark_text[2] = 'again'
bands = 1
lanes = 1
array band_from[400]
array band_to[400]
array band_lane[400]
array band_color[400]
array band_text[400]
band_from[1] = 9
band_to[1] = 11
band_lane[1] = 0
band_color[1] = 1
band_text[1] = 'request, 6.00 s'
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
9 23 20 52 0 43
9.25 23.5 20 52.5 0 43.5
9.75 24.5 20 53.5 0 44.5
10.25 25.5 20 54.5 0 45.5
10.75 26.5 20 55.5 0 46.5
11 27 20 56 0 47
EOD
