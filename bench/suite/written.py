"""bench/RESULTS.md: the latest table, with its date and machine."""

import tables

LATENCY = "Latency under load"
HEAD = """# Results

Written by `./dev bench --write`; not edited by hand. Two worker threads in every system, medians of interleaved runs, every message
counted where it was received. How to read a row: [bench/README.md](README.md).
"""


def render(results, standings):
    parts = [HEAD, "\n".join(tables.machine_lines(results)), tables.disturbed_line(results)]
    for title, rows in (("Targets", tables.target_table(standings)), ("", tables.ratio_table(results)),
                        ("What features cost", tables.feature_table(results)),
                        (LATENCY, tables.latency_table(results)),
                        ("Everybody", tables.peer_table(results, standings)),
                        ("Cores busy, and memory", tables.cost_table(results, standings)),
                        ("All of Quern's workloads", tables.own_table(results)),
                        ("The floor of the machine", tables.floor_table(results)),
                        ("Micro cases", tables.micro_table(results))):
        if len(rows) > 1:
            parts.append((f"## {title}\n\n" if title else "") + tables.markdown(rows))
            if title == LATENCY and (pauses := tables.pause_line(results)):
                parts.append(pauses)
    systems = [f"- {system['title']}: {system['missing'] and 'not at hand, ' + system['missing'] or system['version'] or '-'}"
               for system in results.systems if system["name"] != "floor"]
    parts.append("## Systems\n\n" + "\n".join(systems))
    return "\n\n".join(parts) + "\n"
