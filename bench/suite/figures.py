"""Numbers: medians, spread, whether two samples differ, how a figure is written."""

import itertools
import math
import statistics

median = statistics.median


def mann_whitney(old, new):
    """Two-sided probability that samples so far apart come from one source. Exact for small samples, ties shared."""
    if not old or not new:
        return 1.0
    ranks = _ranks(old + new)
    n, m = len(old), len(new)
    middle = n * (n + m + 1) / 2
    distance = abs(sum(ranks[:n]) - middle)
    ways = math.comb(n + m, n)
    if ways <= 20000:
        as_far = sum(abs(sum(chosen) - middle) >= distance - 1e-9 for chosen in itertools.combinations(ranks, n))
        return as_far / ways
    spread = math.sqrt(n * m * (n + m + 1) / 12)
    return math.erfc(max(0.0, distance - 0.5) / spread / math.sqrt(2))


def _ranks(values):
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    start = 0
    for _, same in itertools.groupby(order, key=values.__getitem__):
        group = list(same)
        for index in group:
            ranks[index] = start + (len(group) + 1) / 2
        start += len(group)
    return ranks


def readable(value):
    """Three significant digits and a unit prefix."""
    if value is None:
        return "-"
    for bound, by, letter in ((1e9, 1e9, " G"), (1e6, 1e6, " M"), (1e4, 1e3, " k")):
        if abs(value) >= bound:
            return _digits(value / by) + letter
    return _digits(value)


def _digits(value):
    if value == 0:
        return "0"
    places = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(places, 3)}f}"


def duration(seconds):
    seconds = int(round(seconds))
    return f"{seconds} s" if seconds < 60 else f"{seconds // 60} min {seconds % 60:02d} s"


def distance(a, b):
    """How many letters must change, come or go."""
    row = list(range(len(b) + 1))
    for i, letter in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, other in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (letter != other))
    return row[len(b)]


def did_you_mean(word, candidates):
    """' Did you mean "ping-pong"?', or nothing."""
    best = min(candidates, key=lambda candidate: distance(word, candidate), default=None)
    near = best is not None and distance(word, best) <= max(2, len(word) // 3)
    return f' Did you mean "{best}"?' if near else ""
