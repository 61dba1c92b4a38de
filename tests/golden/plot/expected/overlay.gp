title_text = 'several programs'
subtitle_text = '3 traces'
time_label = 'time since the start of each (s)'
size_label = 'memory (MiB)'
x_min = 0.000000
x_max = 20.000000
y_max = 386.366573
line = 0.024286
key_columns = 1
key_rows = 5
traces = 3
array trace_titles[8]
trace_titles[1] = 'python3 serve.py --port 80 (phases.mtrace): RSS up to 78.5 MiB, live 60.5 MiB'
trace_titles[2] = 'python3 serve.py (three.mtrace): RSS up to 343.4 MiB, live 301.6 MiB'
trace_titles[3] = 'python3.11 app.py --items 40 (growth.mtrace): RSS up to 210.4 MiB, live 200.9 MiB'
$traces << EOD
