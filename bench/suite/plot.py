"""One figure as a picture: a bar a system, its spread as a line, the target and the floor as marks. Plain SVG."""

import html

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


def _in_words(unit, shown):
    return "; ".join(f"{label} {readable(value)} {unit}" for label, value, *_ in shown)
