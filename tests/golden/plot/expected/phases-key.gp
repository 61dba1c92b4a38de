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
key_columns = 2
key_rows = 2
rss_title = 'RSS, peak 78.5 MiB'
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
slope_shown = 0
slope_text = 'RSS +0 MiB/min, live +0 MiB/min'
slope_from = 0
slope_to = 0
slope_rss_from = 0
slope_rss_to = 0
slope_live_from = 0
slope_live_to = 0
stacked = 2
array stack_titles[12]
stack_titles[1] = 'cache.py:7 put, up to 51.5 MiB'
stack_titles[2] = 'images.py:40 thumbnail, up to 20.0 MiB'
others_title = '1 other, start-up'
$stack << EOD
0 0 0
0.25 1.5 2.75
0.75 4.5 8.25
1.25 6.5 11.5
1.75 7.5 12.5
2.25 8.5 13.5
2.75 9.5 14.5
3.25 10.5 15.5
3.75 11.5 16.5
4.25 13.5 18.5
4.75 16.5 19.5
5 18 19.5
5.25 19.5 28.5
5.75 22.5 29.5
6.25 24.5 44.5
6.75 25.5 45.5
7.25 26.5 46.5
7.75 27.5 47.5
8.25 28.5 48.5
8.75 29.5 49.5
9.25 30.5 50.5
9.75 31.5 51.5
10.25 32.5 52.5
10.75 33.5 53.5
11.25 34.5 54.5
11.75 35.5 55.5
12.25 38.214286 56.071429
12.75 42.642857 56.214286
13.25 47.071429 56.357143
13.75 51.5 56.5
14.25 40.5 45.5
14.75 41.5 46.5
15 42 47
15 39.5 39.5
15.25 40.5 40.5
15.75 41.5 41.5
16.25 42.5 42.5
16.75 43.5 43.5
17.25 44.5 44.5
17.75 45.5 45.5
18.25 46.5 46.5
18.75 47.5 47.5
19.25 48 48.5
19.75 48 49.5
20 48 49.5
EOD
processes = 0
array process_titles[8]
$processes << EOD
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
