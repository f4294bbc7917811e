"""./dev bench --soak: one program under sustained load, its memory second by second, and whether it grows."""

import json
import os
import signal
import subprocess
from dataclasses import dataclass, field

from figures import duration, median, readable

MINUTES = 10
WARM_UP = 0.1        # of the time: pools fill, tables grow ...
WARM_UP_MIN = 30     # ... to their bounds, in seconds
GROWTH_MAX = 0.03    # of the second half over the first
SECONDS_MIN = 60     # below it nothing is told
SPARE_SECONDS = 60   # for a last second that takes long

_COUNTS = (("tells", "tells"), ("asks", "asks"), ("grain_asks", "grain asks"), ("spawns", "actors come and gone"),
           ("ticks", "timers"), ("refused", "refused"))
_NOW = (("transient", "transient actors"), ("active_grains", "active grains"))


class Broken(Exception):
    """Why there is no verdict, in a sentence."""


@dataclass
class Found:
    wanted_seconds: float
    samples: list = field(default_factory=list)   # what the program said, second by second

    def seconds(self):
        return [sample["second"] for sample in self.samples]

    def mebibytes(self):
        return [sample["rss_bytes"] / 2**20 for sample in self.samples]

    @property
    def warm_up(self):
        return max(WARM_UP_MIN, int(len(self.samples) * WARM_UP))

    def halves(self):
        """Resident MiB, the median of either half after the warm-up."""
        steady = self.mebibytes()[self.warm_up:]
        middle = len(steady) // 2
        return median(steady[:middle]), median(steady[middle:])

    @property
    def growth(self):
        first, second = self.halves()
        return second / first - 1

    @property
    def enough(self):
        return len(self.samples) >= SECONDS_MIN

    @property
    def flat(self):
        return self.enough and self.growth <= GROWTH_MAX

    @property
    def verdict(self):
        if not self.enough:
            return f"too short to tell: {len(self.samples)} s, {SECONDS_MIN} are the fewest"
        first, second = self.halves()
        word = "flat" if self.flat else "GROWS"
        return f"resident memory is {word}: {first:.1f} MiB in the first half, {second:.1f} in the second ({self.growth:+.1%})"

    def table(self):
        last = self.samples[-1]
        rows = [["done", "in all", "a second"]]
        return rows + [[title, readable(last[key]), readable(last[key] / last["second"])] for key, title in _COUNTS]

    @property
    def heap(self):
        """What tells growing use from memory that malloc keeps between what is in use."""
        first, last = (self.samples[place]["heap_bytes"] / 2**20 for place in (len(self.samples) // 2, -1))
        return f"malloc has handed out {last:.1f} MiB at the end, {first:.1f} at half time"

    def alive(self):
        """How many there are, the fewest and the most after the warm-up."""
        steady = self.samples[self.warm_up:] or self.samples
        return [["alive", "fewest", "most"]] + [[title, readable(min(sample[key] for sample in steady)),
                                                 readable(max(sample[key] for sample in steady))] for key, title in _NOW]

    def as_json(self):
        return {"seconds": self.wanted_seconds, "flat": self.flat, "verdict": self.verdict, "samples": self.samples}


def run(command, seconds, workers, adopt, progress):
    """Runs the program; `adopt` is told the child, and None when it has ended."""
    seconds = max(1, int(seconds))
    try:
        child = subprocess.Popen([*command, str(seconds), str(workers)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 text=True, start_new_session=True)
    except OSError as error:
        raise Broken(f"{command[0]}: {error.strerror}; ./dev build quern_soak") from error
    adopt(child)
    found = Found(seconds)
    signal.signal(signal.SIGALRM, lambda *_: os.killpg(child.pid, signal.SIGKILL))
    signal.alarm(seconds + SPARE_SECONDS)
    try:
        for line in child.stdout:
            found.samples.append(json.loads(line))
            progress(_progress(found, seconds))
        code = child.wait()
    except ValueError as error:
        raise Broken(f"the program said something strange: {error}") from error
    finally:
        signal.alarm(0)
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        child.stdout.close()
        adopt(None)
    if code < 0:
        raise Broken(f"the program crashed or hung: {signal.Signals(-code).name} after {len(found.samples)} s")
    if code != 0:
        raise Broken(f"the program failed with exit code {code}: {found.samples[-1]['refused'] if found.samples else 0} refused")
    if not found.samples:
        raise Broken("the program said nothing")
    return found


def _progress(found, seconds):
    last = found.samples[-1]
    return (f"{duration(last['second'])} of {duration(seconds)}: {last['rss_bytes'] / 2**20:.1f} MiB, "
            f"{readable((last['tells'] + last['asks'] + last['grain_asks']) / last['second'])} messages/s")
