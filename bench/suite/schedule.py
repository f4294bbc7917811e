"""The order of runs: for each workload A B C A B C, until every cell has enough kept runs or its time is over.
Workloads of a group are compared with one another, and take turns too.

A cell is one system with one workload. Systems that crash, hang or miscount twice are not run again: their row says so.
"""

import time
from dataclasses import dataclass, field

import catalog
import measure
from figures import duration, median, readable

BROKEN_AFTER = 2   # troubled runs
QUIET_WAIT_SECONDS = 5
GIVES_UP_WAITING_AFTER = 4  # runs in a row for which waiting did not help


@dataclass
class Plan:
    workloads: list                 # of (workload, or a tuple of them, systems)
    seconds: float                  # for all of it
    rounds: int = catalog.ROUNDS
    rounds_of: dict = field(default_factory=dict)  # where they are others
    spare: int = catalog.SPARE_ATTEMPTS
    divide: int = 1

    def rounds_for(self, workload):
        return self.rounds_of.get(workload, self.rounds)

    def attempts_for(self, workload):
        return self.rounds_for(workload) + self.spare


@dataclass
class Cell:
    system: object
    workload: str
    runs: list = field(default_factory=list)

    def kept(self):
        return [run for run in self.runs if not run.trouble and run.kept]

    def broken(self):
        return sum(1 for run in self.runs if run.trouble) >= BROKEN_AFTER

    def wants_more(self, plan):
        return (not self.broken() and len(self.kept()) < plan.rounds_for(self.workload)
                and len(self.runs) < plan.attempts_for(self.workload))


class Quiet:
    """Waits for a quiet machine, and stops waiting for one that is never quiet."""

    def __init__(self, load=measure.other_load, clock=time.monotonic, patience=QUIET_WAIT_SECONDS):
        self._load = load
        self._patience = patience
        self._clock = clock
        self._in_vain = 0

    def wait(self):
        patience = self._patience if self._in_vain < GIVES_UP_WAITING_AFTER else 0
        end = self._clock() + patience
        while self._load() > catalog.OTHER_LOAD_MAX:
            if self._clock() >= end:
                self._in_vain += 1
                return
        self._in_vain = 0


class Schedule:
    def __init__(self, plan, runner, say, progress=lambda text: None, quiet=None, clock=time.monotonic):
        self._plan = plan
        self._runner = runner
        self._say = say
        self._progress = progress
        self._quiet = quiet or Quiet()
        self._clock = clock
        self._begin = clock()

    def run(self):
        """Every Run, kept or not."""
        runs = []
        end = self._begin + self._plan.seconds
        groups = [((names,) if isinstance(names, str) else names, systems) for names, systems in self._plan.workloads]
        for index, (names, systems) in enumerate(groups):
            left = sum(self._weight(others) for others, _ in groups[index:])
            # What others leave over may be used, but not all of it by one.
            share = max(0.0, end - self._clock()) * self._weight(names) / left
            cells = [Cell(system, name) for name in names for system in systems]
            self._run_cells(cells, index, min(end, self._clock() + 2 * share))
            runs += [run for cell in cells for run in cell.runs]
            for name in names:
                self._say_cells(name, [cell for cell in cells if cell.workload == name])
        return runs

    def _weight(self, names):
        return sum(self._plan.rounds_for(name) for name in names)

    def _run_cells(self, cells, index, end):
        for round_number in range(max(self._plan.attempts_for(cell.workload) for cell in cells)):
            wanting = [cell for cell in cells if cell.wants_more(self._plan)]
            if not wanting:
                return
            for cell in wanting:
                if round_number > 0 and self._clock() >= end:
                    return
                self._progress(f"{cell.workload}, round {round_number + 1}: {cell.system.title}; "
                               f"{self._time_left(index)}")
                self._quiet.wait()
                command = cell.system.command_for(cell.workload, self._plan.divide)
                cell.runs.append(self._runner.run(cell.system.name, cell.workload, command, cell.system.environment))

    def _time_left(self, index):
        spent = self._clock() - self._begin
        if index == 0:
            return f"at most {duration(self._plan.seconds - spent)} left"
        left = min(self._plan.seconds - spent, spent / index * (len(self._plan.workloads) - index))
        return f"about {duration(max(0, left))} left"

    def _say_cells(self, workload, cells):
        parts = []
        for cell in cells:
            good = [run for run in cell.runs if not run.trouble]
            figures = [run.line["messages"] / run.line["seconds"] for run in cell.kept() or good]
            text = f"{readable(median(figures))}/s" if figures else cell.runs[-1].trouble if cell.runs else "no time left"
            mark = "" if len(cell.kept()) >= min(catalog.KEPT_MIN, self._plan.rounds) else " †"
            parts.append(f"{cell.system.title} {text}{mark if figures else ''}")
        self._say(f"{workload}: " + ", ".join(parts))
