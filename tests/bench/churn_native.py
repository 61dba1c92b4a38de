"""Allocations of C code under Python: queries of SQLite, a dozen functions deep; N times: argument N."""
import sqlite3
import sys

connection = sqlite3.connect(":memory:")
connection.execute("create table words (word text, length int)")
connection.executemany("insert into words values (?, ?)",
                       ((str(n) * 9, n) for n in range(300)))


def ask(number):
    return connection.execute("select length %% 7, count(*), max(word) from words where length > %d "
                              "group by 1 order by 3" % number).fetchall()


for _ in range(int(sys.argv[1])):
    for number in range(40):
        ask(number)
