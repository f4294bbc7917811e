"""What a run of the suite leaves behind: every single run, the machine, the systems. Everything shown is made from it."""

import json
from dataclasses import dataclass, field

import catalog
import figures
from measure import Run

FORMAT = 1


class Unreadable(Exception):
    """Why a file of results cannot be used, in a sentence."""


@dataclass
class Cell:
    """The figure of one system in one row."""

    system: str
    value: float = None       # median; None: there is none
    values: list = field(default_factory=list)
    runs: int = 0
    kept: int = 0
    troubles: list = field(default_factory=list)
    recorded: bool = False
    cpu_seconds: float = None  # of a run, median
    rss_bytes: float = None
    seconds: float = None
    size: int = None

    @property
    def disturbed(self):
        """Too few quiet runs: all are shown."""
        return not self.recorded and self.value is not None and self.kept < min(catalog.KEPT_MIN, self.runs or 1)


def value_of(row, line):
    if row.figure == "rate":
        return line["messages"] / line["seconds"]
    if row.figure == "cost":
        return line["seconds"] / line["messages"] * 1e9
    return line.get(row.figure)


@dataclass
class Results:
    machine: dict
    systems: list             # of {"name", "title", "version", "missing"}
    runs: list                # of Run
    started: str = ""
    quick: bool = False
    seconds: float = 0.0
    micro: list = field(default_factory=list)  # of Google Benchmark

    def cell(self, row, system, workload=None):
        runs = [run for run in self.runs if run.system == system and run.workload == (workload or row.name)]
        good = [run for run in runs if not run.trouble and value_of(row, run.line) is not None]
        kept = [run for run in good if run.kept]
        shown = kept if len(kept) >= min(catalog.KEPT_MIN, len(good)) else good
        cell = Cell(system, runs=len(runs), kept=len(kept),
                    troubles=list(dict.fromkeys(run.trouble for run in runs if run.trouble)))
        if shown:
            cell.values = [value_of(row, run.line) for run in shown]
            cell.value = figures.median(cell.values)
            cell.cpu_seconds = figures.median(run.line.get("cpu_seconds", 0) for run in shown)
            cell.rss_bytes = figures.median(run.line.get("rss_bytes", 0) for run in shown)
            cell.seconds = figures.median(run.line["seconds"] for run in shown)
            cell.size = shown[0].line.get("size")
        return cell

    def floor(self, row):
        """(name, value) of the best of the row's floors; None: not measured."""
        return self.best_floor(row.floor)

    def best_floor(self, names):
        cells = [(name, self.cell(catalog.own_row(name), "floor", name).value) for name in names]
        return max(((name, value) for name, value in cells if value is not None), key=lambda pair: pair[1], default=None)

    def workloads_of(self, system):
        return list(dict.fromkeys(run.workload for run in self.runs if run.system == system))

    def title_of(self, name):
        return next((system["title"] for system in self.systems if system["name"] == name), name)

    def as_json(self):
        return {"format": FORMAT, "started": self.started, "quick": self.quick, "seconds": self.seconds,
                "machine": self.machine, "systems": self.systems, "micro": self.micro,
                "runs": [run.as_json() for run in self.runs]}


def save(results, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".tmp")
    beside.write_text(json.dumps(results.as_json(), indent=1) + "\n")
    beside.rename(path)


def load(path):
    try:
        text = path.read_text()
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from error
    try:
        data = json.loads(text)
        if data["format"] != FORMAT:
            raise Unreadable(f"{path}: written by another version of the suite (format {data['format']}, not {FORMAT})")
        return Results(data["machine"], data["systems"], [Run.from_json(run) for run in data["runs"]], data["started"],
                       data["quick"], data["seconds"], data["micro"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unreadable(f"{path}: damaged, or not written by ./dev bench ({type(error).__name__}: {error})") from error
