letters = 'sans,11'
title_letters = ',14.96'
scale = 1
if (strstrt(GPVAL_TERMINALS, 'pngcairo')) {
    set terminal pngcairo noenhanced size 1200,700 background '#ffffff'
} else {
    set terminal png noenhanced truecolor size 1200,700
}
title_text = 'python3.11 app.py --items 40'
subtitle_text = '2024-05-14 10:22:31, laptop, Python 3.11.2, 2.00 s'
time_label = 'time (s)'
size_label = 'memory (MiB)'
x_min = 0.000000
x_max = 2.000000
y_max = 112.083748
line = 0.024286
key_columns = 3
key_rows = 1
rss_title = 'RSS, peak 99.6 MiB'
native_title = 'native, 37.8 MiB at the peak'
python_title = 'Python, 47.7 MiB at the peak'
mapped_title = 'mapped, peak 921.6 KiB'
peak_shown = 1
peak_x = 1.997000
peak_y = 85.499999
peak_text = 'peak 85.5 MiB at 2.00 s'
mapped_shown = 0
spikes_shown = 0
errors_shown = 0
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
0 4.5 1.7999992 15.677999 0.89999962 6.2999992
0.1 6.75 3.5999994 19.970999 0.89999962 10.349999
0.2 9 5.3999996 24.263999 0.89999962 14.4
0.3 11.25 7.1999998 28.556999 0.89999962 18.45
0.4 13.5 9 32.849999 0.89999962 22.5
0.5 15.749999 10.799999 37.142998 0.89999962 26.549998
0.6 18 12.599999 41.435999 0.89999962 30.599999
0.7 20.249999 14.4 45.728998 0.89999962 34.649999
0.8 22.5 16.2 50.021999 0.89999962 38.7
0.9 24.75 18 54.315 0.89999962 42.75
1 27 19.799999 58.607999 0.89999962 46.799999
1.1 29.25 21.599999 62.900999 0.89999962 50.849999
1.2 31.499999 23.4 67.193998 0.89999962 54.899999
1.3 33.75 25.2 71.487 0.89999962 58.95
1.4 36 27 75.78 0.89999962 63
1.5 38.25 28.799999 80.072999 0.89999962 67.049999
1.6 40.5 30.599999 84.365999 0.89999962 71.099999
1.7 42.75 32.4 88.658999 0.89999962 75.15
1.8 45 34.2 92.952 0.89999962 79.2
1.9 47.25 35.999999 97.244999 0.89999962 83.249999
1.997 47.7 37.799999 99.558448 0.89999962 85.499999
2 47.7 37.799999 99.629998 0.89999962 85.499999
EOD
