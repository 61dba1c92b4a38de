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
x_min = 0.000000
x_max = 20.000000
y_max = 154.074073
line = 0.024286
key_columns = 3
key_rows = 2
rss_title = 'RSS of all added up, peak 78.5 MiB'
native_title = 'native, 20.0 MiB at the peak'
python_title = 'Python, 40.5 MiB at the peak'
mapped_title = 'mapped, peak 0 B'
peak_shown = 1
peak_x = 13.750000
peak_y = 60.500000
peak_text = 'peak 60.5 MiB at 13.8 s'
mapped_shown = 0
spikes_shown = 0
errors_shown = 0
marks = 3
array mark_x[200]
array mark_text[200]
mark_x[1] = 4
mark_text[1] = 'warm'
mark_x[2] = 10
mark_text[2] = 'reload'
mark_x[3] = 10.5
mark_text[3] = 'again'
bands = 6
lanes = 2
array band_from[400]
array band_to[400]
array band_lane[400]
array band_color[400]
array band_text[400]
band_from[1] = 1
band_to[1] = 3.5
band_lane[1] = 0
band_color[1] = 1
band_text[1] = 'load, 2.50 s'
band_from[2] = 5
band_to[2] = 11
band_lane[2] = 0
band_color[2] = 2
band_text[2] = 'request, 6.00 s'
band_from[3] = 5.5
band_to[3] = 8.5
band_lane[3] = 1
band_color[3] = 3
band_text[3] = 'query, 3.00 s'
band_from[4] = 12
band_to[4] = 13
band_lane[4] = 0
band_color[4] = 2
band_text[4] = 'req...'
band_from[5] = 14
band_to[5] = 18
band_lane[5] = 0
band_color[5] = 2
band_text[5] = 'request, 4.00 s'
band_from[6] = 15
band_to[6] = 15.05
band_lane[6] = 1
band_color[6] = 4
band_text[6] = ''
limit = 128
limit_text = 'limit 128.0 MiB'
slope_shown = 1
slope_text = 'RSS +9.44 MiB/min, live +43.1 MiB/min'
slope_from = 4.25
slope_to = 20
slope_rss_from = 60.268789
slope_rss_to = 62.747084
slope_live_from = 41.202345
slope_live_to = 52.527814
stacked = 0
array stack_titles[12]
others_title = 'all else'
processes = 2
array process_titles[8]
process_titles[1] = 'serve.py (77)'
process_titles[2] = 'serve.py (78)'
$processes << EOD
0 0
0.25 19.5
0.75 20.5
1.25 21.5
1.75 22.5
2.25 23.5
2.75 24.5
3.25 25.5
3.75 26.5
4.25 27.5
4.75 28.5
5.25 29.5
5.75 30.5
6.25 46.5
6.75 47.5
7.25 48.5
7.75 49.5
8.25 50.5
8.75 51.5
9.25 52.5
9.75 53.5
10.25 54.5
10.75 55.5
11.25 56.5
11.75 57.5
12.25 58.5
12.75 59.5
13.25 60.5
13.75 61.5
14.25 47.5
14.75 48.5
15.25 49.5
15.75 50.5
16.25 51.5
16.75 52.5
17.25 53.5
17.75 54.5
18.25 55.5
18.75 56.5
19.25 57.5
19.75 58.5
20 58.5


5 0
5.25 17
6.25 17
7.25 17
8.25 17
9.25 17
10.25 17
11.25 17
12.25 17
13.25 17
14.25 17
15 17


EOD
$total << EOD
0 0 0 0 0 0
0.25 5.5 5 19.5 0 10.5
0.75 6.5 5 20.5 0 11.5
1.25 7.5 5 21.5 0 12.5
1.75 8.5 5 22.5 0 13.5
2.25 9.5 5 23.5 0 14.5
2.75 10.5 5 24.5 0 15.5
3.25 11.5 5 25.5 0 16.5
3.75 12.5 5 26.5 0 17.5
4.25 13.5 5 27.5 0 18.5
4.75 14.5 5 28.5 0 19.5
5 14.5 5 28.5 0 19.5
5.25 23.5 5 46.5 0 28.5
5.75 24.5 5 47.5 0 29.5
6.25 25.5 20 63.5 0 45.5
6.75 26.5 20 64.5 0 46.5
7.25 27.5 20 65.5 0 47.5
7.75 28.5 20 66.5 0 48.5
8.25 29.5 20 67.5 0 49.5
8.75 30.5 20 68.5 0 50.5
9.25 31.5 20 69.5 0 51.5
9.75 32.5 20 70.5 0 52.5
10.25 33.5 20 71.5 0 53.5
10.75 34.5 20 72.5 0 54.5
11.25 35.5 20 73.5 0 55.5
11.75 36.5 20 74.5 0 56.5
12.25 37.5 20 75.5 0 57.5
12.75 38.5 20 76.5 0 58.5
13.25 39.5 20 77.5 0 59.5
13.75 40.5 20 78.5 0 60.5
14.25 41.5 5 64.5 0 46.5
14.75 42.5 5 65.5 0 47.5
15 42.5 5 65.5 0 47.5
15 34.5 5 48.5 0 39.5
15.25 35.5 5 49.5 0 40.5
15.75 36.5 5 50.5 0 41.5
16.25 37.5 5 51.5 0 42.5
16.75 38.5 5 52.5 0 43.5
17.25 39.5 5 53.5 0 44.5
17.75 40.5 5 54.5 0 45.5
18.25 41.5 5 55.5 0 46.5
18.75 42.5 5 56.5 0 47.5
19.25 43.5 5 57.5 0 48.5
19.75 44.5 5 58.5 0 49.5
20 44.5 5 58.5 0 49.5
EOD
