"""What Quern's headers cost a compiler, against their targets (CPU seconds and peak memory, medians).

    compile_bench.py [--runs N] -- COMPILER FLAGS..

Six programs, compiled in turn, N times: the standard and abseil headers that quern.h includes, and nothing of ours;
quern.h; <string_view>, which every kKind is, and all that api.h cannot do without; api.h; an actor of 64 messages and
its spawn; the same with an ask of each. Exit code 1 when one is over its target.
"""

import argparse
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

INCLUDE_ROOT = pathlib.Path(__file__).resolve().parents[2] / "runtime" / "include"
MESSAGES = 64

QUERN_RATIO_MAX = 1.5
API_SECONDS_MAX = 0.15
ACTOR_SECONDS_MAX = 1.5
ACTOR_MIB_MAX = 300
ASKS_SECONDS_MAX = 4.0


def foreign_includes(header: str) -> list:
    """The <..> headers that a public header includes, directly or through ours."""
    found, seen, queue = set(), set(), [header]
    while queue:
        name = queue.pop()
        if name in seen:
            continue
        seen.add(name)
        text = (INCLUDE_ROOT / name).read_text()
        found.update(re.findall(r"^#include <([^>]+)>", text, re.MULTILINE))
        queue.extend(re.findall(r'^#include "([^"]+)"', text, re.MULTILINE))
    return sorted(found)


def actor_program(asks: bool) -> str:
    lines = ['#include "quern/quern.h"', ""]
    lines += [f"struct M{i} {{ int value = {i}; }};" for i in range(MESSAGES)]
    lines.append("struct Api : quern::Protocol<" + ", ".join(f"int(M{i})" for i in range(MESSAGES)) + "> {};")
    lines.append("struct Big : quern::Actor<Api> {")
    lines += [f"  int On(const M{i}& m) {{ return sum += m.value; }}" for i in range(MESSAGES)]
    lines += ["  int sum = 0;", "};"]
    lines.append("quern::Ref<Api> Start(quern::System& system) { return system.Spawn<Big>(\"big\").value(); }")
    if asks:
        lines.append("int AskAll(const quern::Ref<Api>& big) {")
        lines.append("  int sum = 0;")
        lines += [f"  sum += big.Ask(M{i}{{}}).value();" for i in range(MESSAGES)]
        lines += ["  return sum;", "}"]
    return "\n".join(lines) + "\n"


def programs() -> dict:
    return {
        "baseline": "".join(f"#include <{name}>\n" for name in foreign_includes("quern/quern.h")),
        "quern.h": '#include "quern/quern.h"\n',
        "string_view": "#include <string_view>\n",
        "api.h": '#include "quern/api.h"\n',
        "actor of 64": actor_program(asks=False),
        "64 asks": actor_program(asks=True),
    }


def compile_once(command: list, source: pathlib.Path) -> tuple:
    """CPU seconds and peak MiB of the compiler and what it started."""
    pid = os.posix_spawnp(command[0], command + ["-c", str(source), "-o", str(source.with_suffix(".o"))], os.environ)
    _, status, usage = os.wait4(pid, 0)
    if status != 0:
        sys.exit(f"{source.name} does not compile")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def measure(command: list, runs: int) -> dict:
    samples = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(runs):
            for number, (name, text) in enumerate(programs().items()):
                source = pathlib.Path(folder) / f"program_{number}.cc"
                source.write_text(text)
                samples.setdefault(name, []).append(compile_once(command, source))
    return {name: (statistics.median(s for s, _ in both), statistics.median(m for _, m in both))
            for name, both in samples.items()}


def verdicts(measured: dict) -> list:
    """(what, measured, target, unit)"""
    baseline, quern = measured["baseline"], measured["quern.h"]
    actor, asks = measured["actor of 64"], measured["64 asks"]
    return [
        ("quern.h against the headers it uses", quern[0] / baseline[0], QUERN_RATIO_MAX, "x"),
        ("api.h", measured["api.h"][0], API_SECONDS_MAX, "s"),
        ("a 64-message actor adds", actor[0] - quern[0], ACTOR_SECONDS_MAX, "s"),
        ("a 64-message actor adds", actor[1] - quern[1], ACTOR_MIB_MAX, "MiB"),
        ("the actor and 64 asks add", asks[0] - quern[0], ASKS_SECONDS_MAX, "s"),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()

    command = arguments.command + [f"-I{INCLUDE_ROOT}"]
    version = subprocess.run([command[0], "--version"], capture_output=True, text=True, check=True).stdout
    print(f"{version.splitlines()[0]}; median of {arguments.runs}; CPU time, peak memory")
    measured = measure(command, arguments.runs)
    for name, (seconds, mib) in measured.items():
        print(f"  {name:<12} {seconds:6.2f} s {mib:6.0f} MiB")
    over = 0
    for what, value, target, unit in verdicts(measured):
        over += value > target
        print(f"  {what:<36} {value:6.2f} {unit:<3}  target {target:g} {unit:<3}  {'ok' if value <= target else 'OVER'}")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
