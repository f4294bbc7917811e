"""./dev bench: Quern, its peers and the floor of the machine, in one run.

    ./dev bench                          everything: at most 40 minutes
    ./dev bench --quick                  smaller, Quern and the peers that the table must have: at most 3 minutes
    ./dev bench ping-pong skynet         these workloads alone; a name stands for those that begin with it
    ./dev bench features                 what features cost those who do not use them: these rows alone
    ./dev bench --soak [MINUTES]         everything at once for 10 minutes: does memory grow?
    ./dev bench --compare old.json       the change since then, with its significance; exit code 1 on a regression
    ./dev bench --from new.json          measures nothing: report or comparison from a file

Results go to build/bench/results.json and build/bench/report.html.
"""

import argparse
import datetime
import json
import pathlib
import signal
import subprocess
import sys
import time

import catalog
import compare
import figures
import fingerprint
import measure
import micro
import page
import results as results_module
import schedule
import soak
import systems
import tables
import targets
import written

ROOT = systems.ROOT


def say(text):
    print(text, file=sys.stderr, flush=True)


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K    {text}", end="", file=sys.stderr, flush=True)


def say_over_progress(text):
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    say(text)


def wrong_usage(text):
    say(f"./dev bench: {text}")
    raise SystemExit(2)


def read_arguments(words):
    parser = argparse.ArgumentParser(prog="./dev bench", usage=__doc__, add_help=True, allow_abbrev=False)
    parser.add_argument("filters", nargs="*")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true", help="results to standard output")
    parser.add_argument("--compare", type=pathlib.Path)
    parser.add_argument("--from", dest="source", type=pathlib.Path)
    parser.add_argument("--systems", default="", help="names of peers, with commas; none: Quern and the floor alone")
    parser.add_argument("--soak", nargs="?", type=float, const=soak.MINUTES, metavar="MINUTES")
    parser.add_argument("--write", action="store_true", help="bench/RESULTS.md, too")
    parser.add_argument("--seconds", type=float, help="instead of 40 or 3 minutes")
    parser.add_argument("--patience", type=float, default=schedule.QUIET_WAIT_SECONDS,
                        help="seconds to wait for a quiet machine before a run")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build" / "bench")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release")
    return parser.parse_args(words)


def choose(filters, known):
    """The known names that a filter is, or begins; all without filters."""
    chosen = []
    for word in filters:
        found = [name for name in known if name == word or name.startswith((word + "-", word + "/", word + " "))]
        if not found:
            wrong_usage(f'no workload "{word}".{figures.did_you_mean(word, known)} There are: ' + ", ".join(known))
        chosen += found
    return list(dict.fromkeys(chosen)) or list(known)


def wanted_peers(arguments):
    names = [peer.name for peer in systems.PEERS_ALL]
    if not arguments.systems:
        return catalog.REQUIRED if arguments.quick else names
    if arguments.systems == "none":
        return ()
    for word in arguments.systems.split(","):
        if word not in names:
            wrong_usage(f'no peer "{word}".{figures.did_you_mean(word, names)}')
    return arguments.systems.split(",")


def plan_for(all_systems, chosen, arguments, seconds):
    """Target rows first, side by side with everybody; the floor beside them; then what Quern alone runs."""
    at_hand = [system for system in all_systems if not system.missing]
    quern, floor = at_hand[0], at_hand[1]
    workloads = []
    for name in catalog.grouped(chosen):
        if not isinstance(name, str):
            workloads.append((name, [quern]))
            continue
        peers_name = next((row.peers_workload for row in catalog.rows_of(name)), None)
        beside = [system for system in at_hand[2:] if peers_name == name and name in system.sizes]
        workloads.append((name, [quern, *beside]))
    for name in dict.fromkeys(row.peers_workload for row in catalog.ROWS
                              if row.name in chosen and row.peers_workload not in chosen):
        workloads.append((name, [system for system in at_hand[2:] if name in system.sizes]))
    floors = [name for name in floor.sizes if _needed(name, chosen, arguments)]
    workloads = [(name, [floor]) for name in floors] + [pair for pair in workloads if pair[1]]
    return schedule.Plan(workloads, seconds, rounds=catalog.QUICK_ROUNDS if arguments.quick else catalog.ROUNDS,
                         rounds_of={} if arguments.quick else catalog.ROUNDS_OF,
                         divide=catalog.QUICK_DIVIDES if arguments.quick else 1)


def _needed(floor, chosen, arguments):
    """The whole floor with the whole suite; else what the chosen rows stand on."""
    if not arguments.filters and not arguments.quick:
        return True
    stands_on = set(catalog.SCALE_BY)
    for row in catalog.ROWS:
        if row.name in chosen:
            stands_on.update(row.floor)
        if row.name in chosen and row.name in dict(catalog.LOADS):
            stands_on.add(catalog.PAUSES)
    return floor in stands_on


def measure_all(arguments):
    seconds = arguments.seconds or (catalog.QUICK_SECONDS if arguments.quick else catalog.WHOLE_SECONDS)
    wanted = wanted_peers(arguments)
    own = systems.System("quern", "Quern", [str(arguments.build / "bench" / "workloads" / "quern_workloads")])
    try:
        systems.read_sizes(own)
    except systems.Missing as missing:
        wrong_usage(f"{missing}; ./dev build quern_workloads quern_floor")
    micro_cases = micro.cases(arguments.build / "bench")
    known = [*own.sizes, *(name for _, names in micro_cases for name in names)]
    chosen = choose(arguments.filters, known)
    if arguments.quick and not arguments.filters:
        chosen = catalog.target_workloads()
    runner = measure.Runner(catalog.LIMIT_SECONDS, catalog.OTHER_LOAD_MAX)
    forward_signals(runner)
    say("==> peers")
    all_systems = systems.find_all(arguments.build / "bench", arguments.out.parent / "peers", wanted, say)

    begin = time.monotonic()
    machine = fingerprint.take(arguments.build)
    started = datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
    with_micro = [(program, [name for name in names if name in chosen]) for program, names in micro_cases]
    with_micro = [(program, names) for program, names in with_micro if names]
    for_micro = sum(len(names) for _, names in with_micro) * (0.5 if arguments.quick else 5.0)
    own_chosen = [name for name in own.sizes if name in chosen]
    say(f"==> {len(own_chosen)} workloads, at most {figures.duration(seconds)}")
    plan = plan_for(all_systems, own_chosen, arguments, max(10.0, seconds - for_micro))
    quiet = schedule.Quiet(patience=arguments.patience)
    runs = schedule.Schedule(plan, runner, say_over_progress, progress, quiet).run()
    found = []
    for program, names in with_micro:
        say(f"==> {program.name}")
        output = arguments.out / f"{program.name}.json"
        found += micro.run(program, names, arguments.quick, output, lambda command: run_shown(runner, command))
    described = [{"name": system.name, "title": system.title, "version": system.version, "missing": system.missing}
                 for system in all_systems]
    return results_module.Results(machine, described, runs, started, arguments.quick, time.monotonic() - begin, found)


def run_shown(runner, command):
    """A program that reports to people; ended with us."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, start_new_session=True)
    runner.adopt(child)
    code = child.wait()
    runner.adopt(None)
    if code != 0:
        say(f"{command[0]} failed with exit code {code}")
        raise SystemExit(1)


def forward_signals(runner):
    def end(number, _):
        runner.kill()
        say("\ninterrupted; nothing is left running")
        raise SystemExit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)


def run_soak(arguments):
    program = arguments.build / "bench" / "soak" / "quern_soak"
    runner = measure.Runner(catalog.LIMIT_SECONDS, catalog.OTHER_LOAD_MAX)
    forward_signals(runner)
    try:
        found = soak.run([str(program)], arguments.soak * 60, catalog.WORKERS, runner.adopt, progress)
    except soak.Broken as broken:
        say_over_progress(f"FAILED  {broken}")
        return 1
    machine = fingerprint.take(arguments.build)
    path = arguments.out / "soak.json"
    path.write_text(json.dumps({"machine": machine, **found.as_json()}, indent=1) + "\n")
    (arguments.out / "soak.html").write_text(page.render_soak(found, machine))
    say_over_progress(tables.aligned(found.table()))
    say(tables.aligned(found.alive()))
    say(f"{found.heap}\n{found.verdict}\nreport: {path.with_suffix('.html')}")
    return 0 if found.flat else 1


def report(results, arguments):
    standings = targets.standings(results)
    (arguments.out / "report.html").write_text(page.render(results, standings))
    if arguments.write:
        (ROOT / "bench" / "RESULTS.md").write_text(written.render(results, standings))
    for rows in (tables.target_table(standings), tables.ratio_table(results), tables.feature_table(results),
                 tables.latency_table(results), tables.peer_table(results, standings),
                 tables.own_table(results), tables.floor_table(results)):
        if len(rows) > 1:
            say("\n" + tables.aligned(rows))
    say("\n" + "\n".join([*tables.machine_lines(results), tables.disturbed_line(results)]))
    if pauses := tables.pause_line(results):
        say(pauses)
    say(f"report: {arguments.out / 'report.html'}")
    broken = [f"{run.system}, {run.workload}: {run.trouble}" for run in results.runs if run.trouble and run.system == "quern"]
    for text in dict.fromkeys(broken):
        say(f"FAILED  {text}")
    return 1 if broken else 0


def report_changes(old, new):
    """1 on a regression beyond noise."""
    found = compare.changes(old, new)
    rows = [["change", "old", "new", "unit", "by", "p", ""]]
    rows += [[change.title, figures.readable(change.old), figures.readable(change.new), change.unit,
              f"{change.better:+.1%}", f"{change.probability:.3f}", change.verdict] for change in found]
    say("\n" + tables.aligned(rows))
    lost = compare.lost(old, new)
    for text in lost:
        say(f"LOST  {text}")
    if not found:
        say("the two have no figure in common")
    return 1 if lost or any(change.verdict == "WORSE" for change in found) else 0


def main(words):
    arguments = read_arguments(words)
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.soak is not None:
        return run_soak(arguments)
    try:
        old = results_module.load(arguments.compare) if arguments.compare else None
        results = results_module.load(arguments.source) if arguments.source else None
        if old is not None and results is None:  # before an hour of measuring, not after
            probe = results_module.Results(fingerprint.take(arguments.build), [], [], quick=arguments.quick)
            compare.check_machines(old, probe, arguments.compare)
        if results is None:
            results = measure_all(arguments)
            results_module.save(results, arguments.out / "results.json")
        if old is not None:
            compare.check_machines(old, results, arguments.compare)
    except results_module.Unreadable as unreadable:
        wrong_usage(str(unreadable))
    code = report(results, arguments)
    if arguments.json:
        print((arguments.source or arguments.out / "results.json").read_text(), end="")
    if old is not None:
        code = max(code, report_changes(old, results))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
