"""What is measured: a row a workload, with what its figure is, which row of the floor it stands on, and its targets.

Everything that a person may want to change about the table is here.
"""

from dataclasses import dataclass

WORKERS = 2
SCALE_BY = ("loop-pair", "loop-pair-flagged")  # of the floor; the best counts
ROUNDS = 5          # kept runs a cell, interleaved: A B C A B C
SPARE_ATTEMPTS = 4  # beyond, for runs that are not kept
# Where pauses of the machine, a few in a second, decide: with five runs their median is a matter of luck.
ROUNDS_OF = {"ask-load-10": 15, "ask-load-50": 15, "ask-load-80": 15, "clock-pauses": 15}
KEPT_MIN = 3        # below it a cell is marked: all its runs are shown
OTHER_LOAD_MAX = 0.12  # cores that everybody else used during a run that is kept
LIMIT_SECONDS = 30  # of one run
WHOLE_SECONDS = 40 * 60
QUICK_SECONDS = 3 * 60
QUICK_DIVIDES = 4   # the usual size by
QUICK_ROUNDS = 3

# Those that spread their actors over the workers by themselves.
SPREADING = ("caf", "goakt", "erlang", "pekko", "pekko-64", "proto-actor", "ergo", "kameo", "ractor", "sobjectizer")
# An actor stays where it was started: the best of what can be placed by hand.
BY_HAND = ("actix-together", "actix-apart")
REQUIRED = ("caf", "goakt", "actix-together", "actix-apart")


@dataclass(frozen=True)
class Target:
    """Up to three marks, each a multiple that Quern's figure is held to; for figures where less is better, a share."""

    spreading: float = None   # of the best peer that spreads
    by_hand: float = None     # of the best placement by hand
    floor: float = None       # of the floor
    at_most: float = None     # absolute, in the row's unit
    only: tuple = ()          # names of the spreading peers that count; empty: all


@dataclass(frozen=True)
class Row:
    name: str                # of the workload, in every system's program
    title: str
    unit: str
    figure: str = "rate"     # "rate": messages by seconds; "cost": nanoseconds a message; else a key of the line
    floor: tuple = ()        # workloads of the floor; the best counts
    target: Target = None
    peers_run: str = None    # what the peers' programs run in its place
    hand: tuple = BY_HAND    # whose figures count as placed by hand
    scales: bool = True      # recorded figures grow with the floor: everything but bytes does

    @property
    def more_is_better(self):
        return self.figure == "rate"

    @property
    def peers_workload(self):
        return self.peers_run or self.name


def loops(name):
    return (name, name + "-flagged")


ROWS = (
    Row("ping-pong", "ping-pong, 1 pair", "messages/s", floor=loops("loop-pair"),
        target=Target(spreading=4, by_hand=1.5, floor=0.7)),
    # Twice a thread's share would be ideal, and a runtime is held to three quarters of it.
    Row("ping-pong-1000", "ping-pong, 1,000 pairs", "messages/s", floor=loops("loop-pairs-one-thread"),
        target=Target(spreading=2.5, by_hand=1.5, floor=1.5)),
    Row("ping-pong-apart", "ping-pong across two workers", "messages/s", floor=loops("loop-pair-split"),
        target=Target(spreading=1, by_hand=20, floor=0.7), peers_run="ping-pong", hand=("actix-apart",)),
    Row("fan-in-1", "fan-in, 1 producer", "messages/s", floor=loops("loop-fan-in-1"),
        target=Target(spreading=1.5, by_hand=1, floor=1.0)),
    Row("fan-in-8", "fan-in, 8 producers", "messages/s", floor=loops("loop-fan-in-8"),
        target=Target(spreading=1.5, by_hand=1.5, floor=1.0)),
    Row("thread-ring", "thread-ring, 1,000 actors", "hops/s", floor=loops("loop-ring"),
        target=Target(spreading=4, by_hand=4, floor=0.7)),
    Row("big", "big, 120 actors", "messages/s", target=Target(spreading=2, by_hand=2)),
    Row("create", "create + 1 message + end", "actors/s", target=Target(spreading=4, by_hand=1.3)),
    Row("skynet", "skynet", "leaves/s", target=Target(spreading=5, by_hand=2)),
    Row("ask", "sequential ask from an actor, p50", "ns", figure="p50_ns", target=Target(spreading=0.4, by_hand=0.7)),
    Row("ask", "sequential ask from an actor, p99.9", "ns", figure="p999_ns", target=Target(spreading=1)),
    Row("ask-thread", "ask from a plain thread", "asks/s", target=Target(spreading=1.2)),
    Row("ask-load-10", "ask at 10 % of the peak, p99.9", "ns", figure="p999_ns", target=Target(spreading=1)),
    Row("ask-load-50", "ask at 50 % of the peak, p99.9", "ns", figure="p999_ns", target=Target(spreading=1)),
    Row("ask-load-80", "ask at 80 % of the peak, p99.9", "ns", figure="p999_ns", target=Target(spreading=1)),
    Row("fairness", "wait beside busy pairs, longest", "ms", figure="max_ms", target=Target(at_most=10), scales=False),
    Row("fairness", "wait beside busy pairs, p99.9", "ms", figure="p999_ms", target=Target(at_most=10), scales=False),
    Row("at-rest", "idle system, 100 ms after its last message", "% of a core", figure="core_percent", target=Target(at_most=1),
        scales=False),
    Row("grain-tell-1", "grain tell, one grain", "messages/s", target=Target(spreading=10, only=("goakt",))),
    Row("grain-tell-256", "grain tell, over 256", "messages/s", target=Target(spreading=10, only=("goakt",))),
    Row("grain-ask", "grain ask", "asks/s", target=Target(spreading=5, only=("goakt",))),
    Row("idle-actors", "idle actor, resident", "bytes", figure="bytes_each", target=Target(at_most=128), scales=False),
    Row("idle-passivated", "idle actor with a passivation, resident", "bytes", figure="bytes_each", scales=False),
    Row("timer-memory", "timer of a million, resident", "bytes", figure="bytes_each", target=Target(at_most=120), scales=False),
    Row("timer-arm-cancel", "timer, arm + cancel", "ns", figure="cost", target=Target(at_most=150)),
)


@dataclass(frozen=True)
class Ratio:
    """A figure of Quern's that is held to another of Quern's own."""

    title: str
    of: str
    to: str
    at_most: float   # times the cost


RATIOS = (
    Ratio("grain tell, one grain: cost of a plain actor's", "grain-tell-1", "actor-tell-1", 1.3),
    Ratio("grain tell, over 256: cost of a plain actor's", "grain-tell-256", "actor-tell-256", 1.3),
    Ratio("grain ask: cost of a plain actor's", "grain-ask", "ask", 1.3),
)


@dataclass(frozen=True)
class Feature:
    """The same workload with and without something, in turns."""

    title: str
    plain: str
    with_it: str
    used: bool = False   # by these actors; else it is only there


FEATURES = (
    Feature("passivation after a minute", "features-tell", "features-tell-passivation"),
    Feature("passivation after 100 ms", "features-tell", "features-tell-passivation-soon"),
    Feature("a stash", "features-tell", "features-tell-stash"),
    Feature("reentrancy", "features-tell", "features-tell-reentrant", used=True),
    Feature("the watchdog", "features-tell", "features-tell-watchdog"),
    Feature("a timer of an hour", "features-tell", "features-tell-timer"),
    Feature("death watch", "features-tell", "features-tell-watched"),
    Feature("a subscriber of events", "features-tell", "features-tell-events"),
    Feature("metrics read 100 times a second", "features-tell", "features-tell-metrics"),
    Feature("the target looked up by name", "features-tell", "features-tell-by-name", used=True),
    Feature("the target's address printed", "features-tell", "features-tell-printed", used=True),
    Feature("asks: reentrancy", "features-ask", "features-ask-reentrant", used=True),
    Feature("asks: a bound of those in flight", "features-ask", "features-ask-counted", used=True),
    Feature("asks: 8 others wait for the asker", "features-ask", "features-ask-chain", used=True),
    Feature("grains: an idle timeout of minutes", "features-grain", "features-grain-idle"),
    Feature("grains: an idle timeout of 100 ms", "features-grain", "features-grain-idle-soon"),
)

# Workloads that are compared with one another take turns, as systems do.
GROUPS = tuple((plain, *(feature.with_it for feature in FEATURES if feature.plain == plain))
               for plain in dict.fromkeys(feature.plain for feature in FEATURES))

# Asks by a schedule: (workload, load in words).
LOADS = (("ask-load-10", "10 %"), ("ask-load-50", "50 %"), ("ask-load-80", "80 %"))
PAUSES = "clock-pauses"   # of the floor; what stands beside them
QUANTILES = (("p50_ns", "p50"), ("p99_ns", "p99"), ("p999_ns", "p99.9"), ("max_ns", "longest"))

# What else Quern's program has and the table of targets has not.
OWN_UNITS = {"spawn": "actors/s"}


def target_workloads():
    """In order, without repetition."""
    return list(dict.fromkeys(row.name for row in ROWS))


def grouped(workloads):
    """The same names, those of a group together as a tuple."""
    found = []
    for name in workloads:
        group = next((group for group in GROUPS if name in group), None)
        entry = name if group is None else tuple(other for other in group if other in workloads)
        if entry not in found:
            found.append(entry)
    return found


def rows_of(workload):
    return [row for row in ROWS if row.name == workload]


def own_row(workload):
    """For a workload of Quern's alone."""
    return Row(workload, workload, OWN_UNITS.get(workload, "messages/s"))
