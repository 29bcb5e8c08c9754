"""Measures dateutil: what one question for the next occurrence costs, in microseconds, as one line of JSON.

Not for people; next-run.ts starts it. Arguments: the instant around which is asked, in ms since 1970, and how slow a question
may be to be asked at all, as a number of years.
"""

import json
import sys
from datetime import datetime, timedelta, timezone
from time import perf_counter
from zoneinfo import ZoneInfo

from dateutil import __version__
from dateutil.rrule import DAILY, FR, MO, MONTHLY, SECONDLY, TH, TU, WE, rrule

now = datetime.fromtimestamp(int(sys.argv[1]) / 1000, timezone.utc)
most_years = float(sys.argv[2])
tallinn = ZoneInfo("Europe/Tallinn")
begun = (now - timedelta(days=5 * 365)).astimezone(tallinn).replace(hour=20, minute=0, second=0, microsecond=0)
begun = datetime(begun.year, begun.month, begun.day, 20, tzinfo=tallinn)
budget = 0.5


def every_10_s(days):
    return rrule(SECONDLY, interval=10, dtstart=now - timedelta(days=days), cache=False)


rules = {
    "day": (0, lambda: every_10_s(1)),
    "year": (1, lambda: every_10_s(365)),
    "fiveYears": (5, lambda: every_10_s(5 * 365)),
    "daily": (0, lambda: rrule(DAILY, dtstart=begun, cache=False)),
    "monthly": (0, lambda: rrule(MONTHLY, dtstart=begun, byweekday=(MO, TU, WE, TH, FR), bysetpos=-1, cache=False)),
}


def cost(rule):
    times = []
    until = perf_counter() + budget
    while True:
        instant = now + timedelta(seconds=len(times) * 7919 % 86400)
        start = perf_counter()
        rule.after(instant)
        times.append(perf_counter() - start)
        if perf_counter() > until:
            break
    times.sort()
    return times[len(times) // 2] * 1e6


found = {name: cost(make()) for name, (years, make) in rules.items() if years <= most_years}
print(json.dumps({"version": __version__, "found": found}))
