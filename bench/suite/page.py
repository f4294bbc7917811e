"""The report: one page of HTML that needs nothing but itself, in the light and in the dark."""

import html
import re

import catalog
import fingerprint
import plot
import tables
from figures import readable

STYLE = """
:root { color-scheme: light dark; --ink: #1c1e21; --soft: #5b6169; --paper: #ffffff; --line: #d9dce1; --quern: #b5541c;
        --peer: #7d8ea3; --hand: #9a86b8; --recorded: #c9d0d9; --good: #1d7a3d; --bad: #b3261e; --floor: #2b6cb0; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e7e9; --soft: #a2a8b0; --paper: #16181b; --line: #363b42; --quern: #e58a4f; --peer: #75869b;
          --hand: #9d8cc0; --recorded: #474e58; --good: #62c584; --bad: #f2867e; --floor: #7fb2ea; }
}
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 1080px;
       margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.4rem; } h3 { font-size: 1rem; margin: 1.6rem 0 .2rem; }
p, li { max-width: 75ch; } .soft { color: var(--soft); }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .6rem; text-align: right; vertical-align: top; }
th:first-child, td:first-child { text-align: left; } th { color: var(--soft); font-weight: 600; }
.met { color: var(--good); font-weight: 600; } .missed { color: var(--bad); font-weight: 600; }
svg { width: 100%; max-width: 760px; height: auto; font: 12px system-ui, sans-serif; }
.label, .value, .mark-label { fill: var(--ink); } .mark-label { fill: var(--soft); }
.bar { fill: var(--peer); } .bar.quern { fill: var(--quern); } .bar.hand { fill: var(--hand); }
.bar.recorded { fill: var(--recorded); } .spread { stroke: var(--ink); stroke-width: 1.5; }
.line { fill: none; stroke: var(--peer); stroke-width: 2; } .line.quern { stroke: var(--quern); }
.dot { fill: var(--peer); } .dot.quern { fill: var(--quern); } .axis { stroke: var(--line); }
.mark { stroke: var(--soft); stroke-dasharray: 4 3; } .mark.floor { stroke: var(--floor); }
"""


def render(results, standings):
    title = "Quern beside its peers"
    body = [f"<h1>{title}</h1>", *(f'<p class="soft">{html.escape(line)}</p>' for line in tables.machine_lines(results)),
            f"<p>{html.escape(tables.disturbed_line(results))} Two worker threads in every system; medians; every message "
            "was counted where it was received.</p>"]
    body += _section("Targets", tables.target_table(standings), "A row is met when it reaches its multiple of the best peer "
                     "that spreads actors over the workers by itself, or its share of the floor: what a bare loop of a "
                     "mailbox and a virtual handler makes on this machine.")
    if len(ratios := tables.ratio_table(results)) > 1:
        body += _section("", ratios)
    if len(features := tables.feature_table(results)) > 1:
        body += _section("What features cost", features, "The same two actors with and without something around them, in turns. "
                         "What is not marked as used has nothing to do with their messages, and should cost them nothing.")
    if len(latencies := tables.latency_table(results)) > 1:
        body += _section("Latency under load", latencies, "Asks are fired by a schedule that does not wait for the answers, at a "
                         "share of the peak that the same process measured first; each counts from the moment at which it "
                         f"should have been fired. {tables.pause_line(results)}")
        body += [_latencies(results, load, text) for load, text in catalog.LOADS]
    body.append("<h2>Side by side</h2>")
    body += [_picture(results, standing) for standing in standings]
    body += _section("Everybody", tables.peer_table(results, standings))
    body += _section("What it cost", tables.cost_table(results, standings), "Cores that were busy during the run, and the "
                     "most that the process ever had in memory.")
    body += _section("All of Quern's workloads", tables.own_table(results))
    body += _section("The floor of this machine", tables.floor_table(results))
    if results.micro:
        body += _section("Micro cases", tables.micro_table(results))
    body += ["<h2>Systems</h2>", *_systems(results)]
    return _page(title, body)


def _page(title, body):
    return (f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
            f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>\n<body>\n'
            + "\n".join(body) + "\n</body></html>\n")


def _section(title, rows, text=""):
    parts = [f"<h2>{html.escape(title)}</h2>"] if title else []
    if text:
        parts.append(f"<p>{html.escape(text)}</p>")
    head, *rest = rows
    cells = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    lines = [f"<tr>{''.join(_cell(cell) for cell in row)}</tr>" for row in rest]
    parts.append(f'<div class="wide"><table><tr>{cells}</tr>{"".join(lines)}</table></div>')
    return parts


def _cell(text):
    kind = f' class="{text}"' if re.fullmatch("met|missed", text) else ""
    return f"<td{kind}>{html.escape(text)}</td>"


def _picture(results, standing):
    quern = standing.quern
    entries = [("Quern †" if quern.disturbed else "Quern", quern, "quern")]
    for cell in standing.cells:
        kind = "recorded" if cell.recorded else "hand" if cell.system in catalog.BY_HAND else "peer"
        mark = " (recorded)" if cell.recorded else " †" if cell.disturbed else ""
        entries.append((results.title_of(cell.system) + mark, cell, kind))
    entries.sort(key=lambda entry: (entry[1].value or 0) * (-1 if standing.row.more_is_better else 1))
    drawn = [(label, cell.value, min(cell.values, default=cell.value), max(cell.values, default=cell.value), kind)
             for label, cell, kind in entries if cell.value is not None]
    floor = results.floor(standing.row)
    marks = [(f"floor {readable(floor[1])}", floor[1], "floor")] if floor else []
    marks += [(f"wanted: {readable(mark.wanted)}", mark.wanted, "") for mark in standing.marks if mark.kind == "absolute"]
    troubled = [f"{label}: {cell.troubles[0]}" for label, cell, _ in entries if cell.value is None and cell.troubles]
    notes = "".join(f'<p class="missed">{html.escape(text)}</p>' for text in troubled)
    less = "" if standing.row.more_is_better else ' <span class="soft">(less is better)</span>'
    verdict = f'<span class="{standing.verdict}">{standing.verdict}</span>'
    return f"<h3>{html.escape(standing.row.title)}: {verdict}{less}</h3>{plot.bars(standing.row.unit, drawn, marks)}{notes}"


def _latencies(results, load, text):
    lines = []
    for system in results.systems:
        cells = [results.cell(catalog.Row(load, "", "ns", figure=figure), system["name"]).value
                 for figure, _ in catalog.QUANTILES]
        if all(value is not None for value in cells):
            lines.append((system["title"], cells, "quern" if system["name"] == "quern" else "peer"))
    names = [quantile for _, quantile in catalog.QUANTILES]
    return f"<h3>at {html.escape(text)} of the peak</h3>{plot.lines('ns', names, lines)}" if lines else ""


def render_soak(found, machine):
    body = ["<h1>Quern under sustained load</h1>", f'<p class="soft">{html.escape(fingerprint.in_words(machine))}</p>',
            f"<p>{html.escape(found.verdict)}; {html.escape(found.heap)}</p>",
            plot.course("MiB", found.seconds(), found.mebibytes()),
            *_section("What was done", found.table()), *_section("What there was", found.alive())]
    return _page("Quern under sustained load", body)


def _systems(results):
    items = []
    for system in results.systems:
        state = f"not at hand: {system['missing']}" if system["missing"] else system["version"]
        items.append(f"<li>{html.escape(system['title'])}: {html.escape(state or 'measured')}</li>")
    return ["<ul>", *items, "</ul>"]
