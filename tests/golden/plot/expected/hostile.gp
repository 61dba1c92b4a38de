letters = 'sans,11'
title_letters = ',14.96'
scale = 1
if (strstrt(GPVAL_TERMINALS, 'pngcairo')) {
    set terminal pngcairo noenhanced size 1200,700 background '#ffffff'
} else {
    set terminal png noenhanced truecolor size 1200,700
}
title_text = 'python3 `touch executed` ’"$(touch executed) !touch executed x_1^2{a}@b  [31m ? <&>\'
subtitle_text = '2024-05-14 10:22:31, laptop, Python 3.11.2, 2.00 s'
time_label = 'time (s)'
size_label = 'memory (MiB)'
x_min = 0.000000
x_max = 2.000000
y_max = 178.852497
line = 0.024286
key_columns = 3
key_rows = 2
rss_title = 'RSS of all added up, peak 159.0 MiB'
native_title = 'native'
python_title = 'Python'
mapped_title = 'mapped, peak 1.4 MiB'
peak_shown = 1
peak_x = 2.000000
peak_y = 132.999999
peak_text = 'peak 133.0 MiB at 2.00 s'
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
processes = 2
array process_titles[8]
process_titles[1] = '`touch executed` (10)'
process_titles[2] = '`touch executed` {_^@} (11)'
$processes << EOD
0 15.677999
0.1 19.970999
0.2 24.263999
0.3 28.556999
0.4 32.849999
0.5 37.142998
0.6 41.435999
0.7 45.728998
0.8 50.021999
0.9 54.315
1 58.607999
1.1 62.900999
1.2 67.193998
1.3 71.487
1.4 75.78
1.5 80.072999
1.6 84.365999
1.7 88.658999
1.8 92.952
1.9 97.244999
2 99.629998


0.5 12.709999
0.6 15.536666
0.7 18.893332
0.8 22.25
0.9 25.076666
1 28.433332
1.1 31.79
1.2 34.616666
1.3 37.973332
1.4 41.33
1.5 44.156666
1.599999 47.513332
1.7 50.87
1.8 53.696666
1.9 57.053332
2 59.349999


EOD
$total << EOD
0 4.5 1.7999992 15.677999 0.89999962 6.2999992
0.1 6.75 3.5999994 19.970999 0.89999962 10.349999
0.2 9 5.3999996 24.263999 0.89999962 14.4
0.3 11.25 7.1999998 28.556999 0.89999962 18.45
0.4 13.5 9 32.849999 0.89999962 22.5
0.5 18.249999 11.799999 49.852997 1.3999996 30.049998
0.6 22.166666 14.599999 56.972665 1.3999996 36.766665
0.7 26.083332 17.9 64.622331 1.3999996 43.983332
0.8 30 21.2 72.271999 1.3999996 51.2
0.9 33.916666 24 79.391665 1.3999996 57.916666
1 37.833333 27.299999 87.041331 1.3999996 65.133332
1.1 41.75 30.599999 94.690999 1.3999996 72.349999
1.2 45.666665 33.4 101.81066 1.3999996 79.066665
1.3 49.583333 36.7 109.46033 1.3999996 86.283333
1.4 53.5 40 117.11 1.3999996 93.5
1.5 57.416666 42.799999 124.22966 1.3999996 100.21667
1.6 61.333333 46.099999 131.87933 1.3999996 107.43333
1.7 65.25 49.4 139.529 1.3999996 114.65
1.8 69.166666 52.2 146.64867 1.3999996 121.36667
1.9 73.083333 55.499999 154.29833 1.3999996 128.58333
2 74.2 58.799999 158.98 1.3999996 133
EOD
