"""Figures as pictures, plain SVG: a bar a system, its spread as a line, the target and the floor as marks; a line a system
over categories, on a logarithmic scale; one figure's course over time.
"""

import html
import math

from figures import readable

WIDTH = 760
LABELS = 220
VALUES = 150
BAR = 18
GAP = 8


def bars(unit, entries, marks=()):
    """`entries`: (label, value, lowest, highest, class); `marks`: (label, value, class). Best first."""
    shown = [entry for entry in entries if entry[1] is not None]
    if not shown:
        return ""
    top = max([entry[3] for entry in shown] + [value for _, value, _ in marks])
    room = WIDTH - LABELS - VALUES
    height = len(shown) * (BAR + GAP) + GAP + (18 if marks else 0)

    def x(value):
        return LABELS + room * value / top

    parts = [f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{html.escape(_in_words(unit, shown))}">']
    y = GAP
    for label, value, lowest, highest, kind in shown:
        middle = y + BAR / 2
        parts.append(f'<text class="label" x="{LABELS - 8}" y="{middle + 4:.1f}" text-anchor="end">{html.escape(label)}</text>')
        parts.append(f'<rect class="bar {kind}" x="{LABELS}" y="{y}" width="{max(1.0, x(value) - LABELS):.1f}" height="{BAR}" rx="2"/>')
        if highest > lowest:
            parts.append(f'<line class="spread" x1="{x(lowest):.1f}" x2="{x(highest):.1f}" y1="{middle}" y2="{middle}"/>')
        parts.append(f'<text class="value" x="{x(max(value, highest)) + 6:.1f}" y="{middle + 4:.1f}">{readable(value)} {html.escape(unit)}</text>')
        y += BAR + GAP
    for label, value, kind in marks:
        parts.append(f'<line class="mark {kind}" x1="{x(value):.1f}" x2="{x(value):.1f}" y1="2" y2="{y}"/>')
        parts.append(f'<text class="mark-label" x="{x(value):.1f}" y="{y + 12}" text-anchor="middle">{html.escape(label)}</text>')
    return "".join([*parts, "</svg>"])


HEIGHT = 220
BELOW = 24


def lines(unit, categories, entries):
    """`entries`: (label, a value a category, class). Powers of ten from bottom to top."""
    values = [value for _, cells, _ in entries for value in cells if value > 0]
    if not values:
        return ""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    high = max(high, low + 1)
    step = (WIDTH - LABELS - VALUES) / max(1, len(categories) - 1)

    def point(index, value):
        height = (math.log10(max(value, 10**low)) - low) / (high - low)
        return LABELS + step * index, HEIGHT - BELOW - (HEIGHT - BELOW - GAP) * height

    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(_lines_in_words(unit, categories, entries))}">']
    for power in range(low, high + 1):
        y = point(0, 10**power)[1]
        parts.append(f'<line class="axis" x1="{LABELS}" x2="{WIDTH - VALUES}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="mark-label" x="{LABELS - 8}" y="{y + 4:.1f}" text-anchor="end">{readable(10**power)} {html.escape(unit)}</text>')
    for index, category in enumerate(categories):
        parts.append(f'<text class="mark-label" x="{LABELS + step * index:.1f}" y="{HEIGHT - 6}" text-anchor="middle">{html.escape(category)}</text>')
    free = HEIGHT  # labels stand apart, from the lowest line up
    for label, cells, kind in sorted(entries, key=lambda entry: entry[1][-1]):
        points = [point(index, value) for index, value in enumerate(cells)]
        free = min(points[-1][1] + 4, free - 13)
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline class="line {kind}" points="{path}"/>')
        parts += [f'<circle class="dot {kind}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in points]
        parts.append(f'<text class="label" x="{points[-1][0] + 8:.1f}" y="{free:.1f}">{html.escape(label)}</text>')
    return "".join([*parts, "</svg>"])


def course(unit, moments, values):
    """One figure over time, from zero up."""
    if len(values) < 2:
        return ""
    top, last = max(values) * 1.1, moments[-1]
    room = WIDTH - LABELS - VALUES
    points = " ".join(f"{LABELS + room * moment / last:.1f},{HEIGHT - BELOW - (HEIGHT - BELOW - GAP) * value / top:.1f}"
                      for moment, value in zip(moments, values))
    words = f"from {readable(values[0])} to {readable(values[-1])} {unit}, at most {readable(max(values))}"
    return (f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(words)}">'
            f'<line class="axis" x1="{LABELS}" x2="{WIDTH - VALUES}" y1="{HEIGHT - BELOW}" y2="{HEIGHT - BELOW}"/>'
            f'<text class="mark-label" x="{LABELS - 8}" y="{GAP + 8}" text-anchor="end">{readable(top)} {html.escape(unit)}</text>'
            f'<text class="mark-label" x="{WIDTH - VALUES}" y="{HEIGHT - 6}" text-anchor="end">{readable(last)} s</text>'
            f'<polyline class="line quern" points="{points}"/></svg>')


def _lines_in_words(unit, categories, entries):
    return "; ".join(f"{label}: " + ", ".join(f"{category} {readable(value)} {unit}" for category, value in zip(categories, cells))
                     for label, cells, _ in entries)


def _in_words(unit, shown):
    return "; ".join(f"{label} {readable(value)} {unit}" for label, value, *_ in shown)
