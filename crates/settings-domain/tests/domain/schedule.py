"""Prints schedule.golden.txt: when digests are due, by an implementation of its own (Python 3, standard library alone).

For each schedule, the first run after every whole hour from 2024-01-01T00:00 to 2044-12-31T23:00 UTC, as seconds since
1970, one a line, hashed with SHA-256.
"""
import bisect, calendar, hashlib
from datetime import date, datetime, timedelta, timezone


def at(year, month, day, hour):
    return int(datetime(year, month, day, hour, tzinfo=timezone.utc).timestamp())


def days():
    day = date(2024, 1, 1)
    while day.year < 2046:
        yield day
        day += timedelta(days=1)


def daily(_, hour):
    return [at(d.year, d.month, d.day, hour) for d in days()]


def weekly(sunday_is_0, hour):
    wanted = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"][sunday_is_0]
    return [at(d.year, d.month, d.day, hour) for d in days() if calendar.day_name[d.weekday()] == wanted]


def monthly(day, hour):
    return [at(year, month, day, hour) for year in range(2024, 2046) for month in range(1, 13)]


plans = [("daily", daily, [0]), ("weekly", weekly, range(7)), ("monthly", monthly, [1, 15, 28])]
first, last = at(2024, 1, 1, 0), at(2044, 12, 31, 23)
for name, runs_of, numbers in plans:
    for number in numbers:
        for hour in (0, 8, 23):
            runs = runs_of(number, hour)
            due = (runs[bisect.bisect_right(runs, t)] for t in range(first, last + 1, 3600))
            text = "".join(f"{second}\n" for second in due)
            print(name, number, hour, hashlib.sha256(text.encode()).hexdigest())
