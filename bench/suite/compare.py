"""Two results of one machine: what has changed, and whether that is more than noise."""

from dataclasses import dataclass

import catalog
import figures
import fingerprint
from results import Unreadable

SIGNIFICANT = 0.02   # two-sided; four runs a side are the fewest that can get below it
CHANGE_MIN = 0.05    # smaller ones do not count, however certain


@dataclass
class Change:
    title: str
    unit: str
    old: float
    new: float
    better: float      # > 0: by this share; < 0: worse
    probability: float
    enough: bool       # runs to tell at all

    @property
    def verdict(self):
        return _verdict(self.better, self.probability, self.enough)


def _verdict(better, probability, enough):
    if not enough:
        return "too few runs"
    if probability >= SIGNIFICANT or abs(better) < CHANGE_MIN:
        return "noise"
    return "better" if better > 0 else "WORSE"


def verdict_of(better, probability, old_values, new_values):
    return _verdict(better, probability, can_tell(len(old_values), len(new_values)))


def can_tell(old, new):
    """Whether samples of these sizes could differ significantly at all."""
    return figures.mann_whitney(list(range(old)), list(range(old, old + new))) < SIGNIFICANT


def check_machines(old, new, path):
    then, now = fingerprint.machine_of(old.machine), fingerprint.machine_of(new.machine)
    if then != now:
        raise Unreadable(f"{path}: from another machine ({fingerprint.in_words(old.machine)}; this one is "
                         f"{fingerprint.in_words(new.machine)}): figures of two machines cannot be compared")
    if old.quick != new.quick:
        raise Unreadable(f"{path}: {'a quick' if old.quick else 'a whole'} run, and this is "
                         f"{'a quick' if new.quick else 'a whole'} one: their sizes differ")


def changes(old, new):
    """Of every figure of Quern's that both have."""
    found = []
    both = [name for name in new.workloads_of("quern") if name in set(old.workloads_of("quern"))]
    for workload in both:
        for row in catalog.rows_of(workload) or [catalog.own_row(workload)]:
            before, after = old.cell(row, "quern"), new.cell(row, "quern")
            if before.value and after.value:
                found.append(_change(row, before, after))
    return found


def _change(row, before, after):
    better = after.value / before.value - 1
    return Change(row.title, row.unit, before.value, after.value, better if row.more_is_better else -better,
                  figures.mann_whitney(before.values, after.values), can_tell(len(before.values), len(after.values)))


def lost(old, new):
    """Workloads that had a figure and now end in trouble."""
    return [f"{name}: {new.cell(catalog.own_row(name), 'quern', name).troubles[0]}"
            for name in old.workloads_of("quern")
            if old.cell(catalog.own_row(name), "quern", name).value
            and new.cell(catalog.own_row(name), "quern", name).troubles]
