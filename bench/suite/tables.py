"""The tables, as text: for the terminal and for RESULTS.md."""

import catalog
import compare
import figures
import fingerprint
import targets
from figures import readable


def aligned(rows, indent=""):
    """Rows of strings, the first column to the left, the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [text.ljust(width) if i == 0 else text.rjust(width) for i, (text, width) in enumerate(zip(row, widths))]
        lines.append(indent + "  ".join(cells).rstrip())
    return "\n".join(lines)


def markdown(rows):
    first, *rest = rows
    lines = ["| " + " | ".join(first) + " |", "| --- |" + " ---: |" * (len(first) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rest])


def cell_text(cell):
    """A figure with its marks; or what went wrong instead."""
    if cell is None:
        return "-"
    if cell.value is None:
        return cell.troubles[0] if cell.troubles else "-"
    text = readable(cell.value)
    if cell.recorded:
        return f"{text} (recorded)"
    if cell.disturbed:
        text += " †"
    if cell.troubles:
        text += f" ({cell.runs - len(cell.values)} of {cell.runs}: {cell.troubles[0]})"
    return text


def spread_text(cell):
    return f"{readable(min(cell.values))}–{readable(max(cell.values))}" if len(cell.values) > 1 else ""


def mark_text(mark):
    if mark.reached is None:
        return f"? of {readable(mark.wanted)} x {mark.against}"
    if mark.kind == "absolute":
        return f"at most {readable(mark.wanted)}" + ("" if mark.met else ": over")
    return f"{mark.reached:.2f} of {mark.wanted:g} x {mark.against}" + (" ✓" if mark.met else " ✗")


def target_table(standings):
    rows = [["row", "Quern", "min–max", "unit", "best peers that spread", "placed by hand", "floor", "verdict"]]
    for standing in standings:
        by_kind = {mark.kind: mark_text(mark) for mark in standing.marks}
        rows.append([standing.row.title, cell_text(standing.quern), spread_text(standing.quern), standing.row.unit,
                     by_kind.get("spreading", by_kind.get("absolute", "-")), by_kind.get("by hand", "-"),
                     by_kind.get("floor", "-"), standing.verdict])
    return rows


def ratio_table(results):
    rows = [["Quern against itself", "times", "at most", "verdict"]]
    return rows + [[ratio.title, f"{ratio.reached:.2f}", f"{ratio.at_most:g}", ratio.verdict]
                   for ratio in targets.own_ratios(results)]


def feature_table(results):
    """What each costs a message."""
    rows = [["feature", "without", "with", "ns a message more", "by", "p", ""]]
    for feature in catalog.FEATURES:
        plain, with_it = (results.cell(catalog.own_row(name), "quern", name) for name in (feature.plain, feature.with_it))
        if plain.value is None or with_it.value is None:
            continue
        more = 1e9 / with_it.value - 1e9 / plain.value
        probability = figures.mann_whitney(plain.values, with_it.values)
        verdict = compare.verdict_of(with_it.value / plain.value - 1, probability, plain.values, with_it.values)
        rows.append([feature.title + (" (used)" if feature.used else ""), cell_text(plain), cell_text(with_it), f"{more:+.1f}",
                     f"{plain.value / with_it.value - 1:+.1%}", f"{probability:.3f}",
                     {"WORSE": "costs", "noise": "nothing", "better": "nothing"}.get(verdict, verdict)])
    return rows


def latency_table(results):
    """Asks by a schedule, a column a system."""
    loads = [(name, text) for name, text in catalog.LOADS if name in results.workloads_of("quern")]
    names = [system["name"] for system in results.systems
             if any(name in results.workloads_of(system["name"]) for name, _ in loads)]
    rows = [["ask at a share of the peak, ns", *(results.title_of(name) for name in names)]]
    for load, text in loads:
        for figure, quantile in (*catalog.QUANTILES, ("peak", "peak, asks/s")):
            row = catalog.Row(load, "", "ns", figure=figure)
            rows.append([f"{text}, {quantile}", *(cell_text(results.cell(row, name)) for name in names)])
    return rows


def pause_line(results):
    """What no tail is shorter than; empty: not measured."""
    row = catalog.Row(catalog.PAUSES, "", "ns", figure="max_ns")
    cell = results.cell(row, "floor")
    if cell.value is None:
        return ""
    return (f"In a second in which every worker thread does nothing but look at the clock, one of them is away for {cell_text(cell)} ns "
            f"at longest ({spread_text(cell)}): on such pauses of the machine all tails stand.")


def peer_table(results, standings):
    """Every system that has a figure or trouble, a column each."""
    names = list(dict.fromkeys(cell.system for standing in standings for cell in standing.cells))
    order = [*catalog.SPREADING, *catalog.BY_HAND]
    names.sort(key=lambda name: order.index(name) if name in order else len(order))
    rows = [["row", "unit", "Quern", *(results.title_of(name) for name in names)]]
    for standing in standings:
        by_name = {cell.system: cell for cell in standing.cells}
        rows.append([standing.row.title, standing.row.unit, cell_text(standing.quern),
                     *(cell_text(by_name.get(name)) for name in names)])
    return rows


def cost_table(results, standings):
    """Cores busy and peak memory, of the runs above."""
    names = [system["name"] for system in results.systems if system["name"] != "floor" and not system["missing"]]
    rows = [["cores busy; peak MiB", *(results.title_of(name) for name in names)]]
    done = set()
    for standing in standings:
        if standing.row.name in done:
            continue
        done.add(standing.row.name)
        cells = [standing.quern if name == "quern" else next((c for c in standing.cells if c.system == name), None)
                 for name in names]
        rows.append([standing.row.name, *(_cost(cell) for cell in cells)])
    return rows


def _cost(cell):
    if cell is None or cell.recorded or not cell.seconds:
        return "-"
    return f"{cell.cpu_seconds / cell.seconds:.1f}; {cell.rss_bytes / 2**20:,.0f}"


def own_table(results):
    """Everything that Quern's program runs."""
    rows = [["workload", "figure", "min–max", "unit", "cores", "peak MiB"]]
    for name in results.workloads_of("quern"):
        row = catalog.own_row(name)
        cell = results.cell(row, "quern")
        busy, memory = (_cost(cell).split("; ") + ["-"])[:2]
        rows.append([name, cell_text(cell), spread_text(cell), row.unit, busy, memory])
    return rows


def floor_table(results):
    rows = [["floor", "rate /s", "ns each", "min–max /s"]]
    for name in results.workloads_of("floor"):
        cell = results.cell(catalog.own_row(name), "floor", name)
        each = readable(1e9 / cell.value) if cell.value else "-"
        rows.append([name, cell_text(cell), each, spread_text(cell)])
    return rows


def micro_table(results):
    rows = [["micro case", "ns each", "rate /s"]]
    return rows + [[case["name"], readable(case["ns"]), readable(case.get("rate"))] for case in results.micro]


def machine_lines(results):
    machine = results.machine
    dirty = " with changes" if machine.get("changed") else ""
    load = ", ".join(f"{value:.2f}" for value in machine.get("load", []))
    return [f"Measured {results.started} on {fingerprint.in_words(machine)}.",
            f"Governor {machine.get('governor')}, load average {load} at the beginning; {machine.get('compiler')}, "
            f"{machine.get('flags')}; commit {machine.get('commit', '')[:12]}{dirty}."]


def disturbed_line(results):
    runs = [run for run in results.runs if not run.trouble]
    kept = sum(1 for run in runs if run.kept)
    return (f"{kept} of {len(runs)} runs were quiet (others used at most {catalog.OTHER_LOAD_MAX:g} cores); "
            f"† marks a figure with fewer than {catalog.KEPT_MIN} quiet runs: all its runs are shown, and it is no result.")
