"""Figures of peers that were measured once, for those that are not at hand: scaled by the floor of then and now."""

import json
import math
import pathlib

import catalog
from results import Cell

FILE = pathlib.Path(__file__).with_name("recorded.json")


def read(path=FILE):
    """[{"machine", "loop_pair": rate of the floor, "figures": {system: {"workload" or "workload:figure": value}}}]"""
    return json.loads(path.read_text())["machines"]


def figure(machines, results, row, system):
    """A Cell marked recorded, or None. Of several machines the one whose lone pair was nearest to ours."""
    key = row.peers_workload if row.figure == "rate" else f"{row.peers_workload}:{row.figure}"
    usable = []
    for machine in machines:
        value = machine["figures"].get(system, {}).get(key)
        if value is not None and (scale := _scale(machine, results, row)) is not None:
            usable.append((_distance(machine, results), value, scale))
    if not usable:
        return None
    _, value, scale = min(usable)
    return Cell(system, value=value * scale if row.more_is_better else value / scale, recorded=True)


def _speed(results):
    found = results.best_floor(catalog.SCALE_BY)
    return found[1] if found else None


def _scale(machine, results, row):
    """How many times as fast this machine is; None: unknown, for its floor was not measured."""
    if not row.scales:
        return 1.0
    now = _speed(results)
    return now / machine["loop_pair"] if now else None


def _distance(machine, results):
    now = _speed(results)
    return abs(math.log(now / machine["loop_pair"])) if now else 0.0
