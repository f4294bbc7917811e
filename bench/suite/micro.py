"""The micro cases: programs on Google Benchmark named <what>_bench, whose own tables they print."""

import itertools
import json
import re
import subprocess

from figures import median


def programs(folder):
    return sorted(path for path in folder.rglob("*_bench") if path.is_file())


def cases(folder):
    """(program, [names])"""
    found = []
    for program in programs(folder):
        listing = subprocess.run([program, "--benchmark_list_tests"], capture_output=True, text=True, timeout=60)
        names = [_short(name) for name in itertools.takewhile(str.strip, listing.stdout.splitlines())]
        if names:
            found.append((program, list(dict.fromkeys(names))))
    return found


def _short(name):
    """Without how it was measured: "tell/from a thread/process_time/real_time"."""
    return re.sub(r"(/(process_time|real_time|iterations:\d+|repeats:\d+|threads:\d+|manual_time))+$", "", name)


def run(program, names, quick, output, start):
    """Runs the cases; `start` starts the program and waits. [{"name", "ns", "rate"}], medians of their runs."""
    options = ["--benchmark_repetitions=1", "--benchmark_min_time=0.05"] if quick else ["--benchmark_min_time=0.2"]
    pattern = "|".join(re.sub(r"([.^$*+?()\[\]{}|\\])", r"\\\1", name) for name in names)
    start([str(program), *options, f"--benchmark_filter=^({pattern})(/|$)", f"--benchmark_out={output}",
           "--benchmark_out_format=json"])
    samples = {}
    for case in json.loads(output.read_text())["benchmarks"]:
        if case.get("run_type") != "iteration" or case.get("error_occurred"):
            continue
        scale = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}[case["time_unit"]]
        samples.setdefault(_short(case["run_name"]), []).append((case["real_time"] * scale, case.get("items_per_second")))
    return [{"name": name, "ns": median(ns for ns, _ in both),
             "rate": median(rate for _, rate in both) if all(rate for _, rate in both) else None}
            for name, both in samples.items()]
