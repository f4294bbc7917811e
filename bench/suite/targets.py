"""Rows against their targets: who stands where, which marks are reached, what the verdict is."""

from dataclasses import dataclass, field

import catalog
import recorded
from results import Cell


@dataclass
class Mark:
    kind: str            # "spreading", "by hand", "floor", "absolute"
    against: str         # a system or a row of the floor, in words
    wanted: float        # times `against`, or the unit's own
    reached: float = None
    met: bool = None     # None: not measured


@dataclass
class Standing:
    row: catalog.Row
    quern: Cell
    cells: list = field(default_factory=list)  # of the peers that have a figure or trouble, best first
    marks: list = field(default_factory=list)

    @property
    def verdict(self):
        """Met by the first mark or by the share of the floor; "-" of a row without a target."""
        if self.row.target is None:
            return "-"
        if self.quern.value is None:
            return "not measured"
        if self.quern.troubles and not self.quern.kept:
            return "missed"
        deciding = [mark.met for mark in self.marks if mark.kind in ("spreading", "floor", "absolute")]
        if any(deciding):
            return "met"
        return "not measured" if all(met is None for met in deciding) else "missed"


def standings(results, machines=None):
    """One for each row of the catalog that was measured."""
    machines = recorded.read() if machines is None else machines
    measured = set(results.workloads_of("quern"))
    return [_standing(results, row, machines) for row in catalog.ROWS if row.name in measured]


def _standing(results, row, machines):
    standing = Standing(row, results.cell(row, "quern"))
    present = [system["name"] for system in results.systems if system["name"] not in ("quern", "floor")]
    names = dict.fromkeys([*present, *catalog.SPREADING, *catalog.BY_HAND])
    for name in names:
        if name in catalog.BY_HAND and name not in row.hand:
            continue  # placed as this row does not mean it
        cell = results.cell(row, name, row.peers_workload)
        if cell.value is None and not cell.troubles:
            # Measured anew or not at all: only what is not at hand is looked up.
            at_hand = any(system["name"] == name and not system["missing"] for system in results.systems)
            cell = None if at_hand else recorded.figure(machines, results, row, name)
        if cell is not None:
            standing.cells.append(cell)
    standing.cells.sort(key=lambda cell: (cell.value is None, (cell.value or 0) * (-1 if row.more_is_better else 1)))
    if row.target is not None:
        standing.marks = _marks(results, standing)
    return standing


def _marks(results, standing):
    row, target = standing.row, standing.row.target
    spreading = target.only or catalog.SPREADING
    marks = []
    for kind, wanted, names in (("spreading", target.spreading, spreading), ("by hand", target.by_hand, row.hand)):
        if wanted is not None:
            best = next((cell for cell in standing.cells if cell.system in names and cell.value is not None), None)
            against = results.title_of(best.system) + (" (recorded)" if best.recorded else "") if best else "nobody"
            marks.append(_mark(kind, against, wanted, standing, best.value if best else None))
    if target.floor is not None:
        name, value = results.floor(row) or ("not measured", None)
        marks.append(_mark("floor", name, target.floor, standing, value))
    if target.at_most is not None:
        mark = Mark("absolute", "", target.at_most, standing.quern.value)
        mark.met = None if mark.reached is None else mark.reached <= target.at_most
        marks.append(mark)
    return marks


def _mark(kind, against, wanted, standing, value):
    mark = Mark(kind, against, wanted)
    if value and standing.quern.value is not None:
        mark.reached = standing.quern.value / value
        mark.met = mark.reached >= wanted if standing.row.more_is_better else mark.reached <= wanted
    return mark


@dataclass
class OwnRatio:
    title: str
    at_most: float
    reached: float

    @property
    def verdict(self):
        return "met" if self.reached <= self.at_most else "missed"


def own_ratios(results):
    """Quern held to itself."""
    found = []
    for ratio in catalog.RATIOS:
        of, to = (results.cell(catalog.own_row(name), "quern", name).value for name in (ratio.of, ratio.to))
        if of and to:
            found.append(OwnRatio(ratio.title, ratio.at_most, to / of))  # rates: the cost is the inverse
    return found
