"""One run: a process of its own, within a time limit, and what everybody else used of the machine meanwhile."""

import ctypes
import json
import os
import signal
import subprocess
import time
from dataclasses import asdict, dataclass, field

_TICKS = os.sysconf("SC_CLK_TCK")
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


@dataclass
class Run:
    """Of one system and workload. `trouble`: why there is no figure ("" when there is)."""

    system: str
    workload: str
    line: dict = field(default_factory=dict)  # what the program printed
    trouble: str = ""
    other_load: float = 0.0  # cores
    kept: bool = True        # other load was low

    def as_json(self):
        return asdict(self)

    @staticmethod
    def from_json(data):
        return Run(**data)


def busy_seconds():
    """CPU seconds that the machine has spent on anything, what a hypervisor took included."""
    with open("/proc/stat", encoding="ascii") as stat:
        user, nice, system, _, _, irq, softirq, steal, *_ = (int(word) for word in stat.readline().split()[1:])
    return (user + nice + system + irq + softirq + steal) / _TICKS


def other_load(seconds=0.1):
    """Cores that others use now."""
    before, own = busy_seconds(), time.process_time()
    time.sleep(seconds)
    return max(0.0, (busy_seconds() - before - (time.process_time() - own)) / seconds)


class Runner:
    """Starts programs and leaves none behind, whatever happens."""

    def __init__(self, limit_seconds, other_load_max):
        self.limit_seconds = limit_seconds
        self.other_load_max = other_load_max
        self._child = None
        self._reaped = 0.0  # CPU seconds of all children that have ended

    def run(self, system, workload, command, environment=None):
        """A Run. The command is a list; its last line of standard output that is JSON counts."""
        self._reap()
        busy, own, wall = busy_seconds(), time.process_time(), time.monotonic()
        try:
            self._child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                           stderr=subprocess.PIPE, start_new_session=True, preexec_fn=_die_with_parent,
                                           env={**os.environ, **(environment or {})})
        except OSError as error:
            return Run(system, workload, trouble=f"does not start: {error.strerror}")
        try:
            output, errors, late = self._wait()
            used = self._reap()
        finally:
            self.kill()
        seconds = time.monotonic() - wall
        others = busy_seconds() - busy - used - (time.process_time() - own)
        run = Run(system, workload, other_load=max(0.0, others / max(seconds, 1e-3)))
        run.kept = run.other_load <= self.other_load_max
        run.line = _last_line(output)
        run.trouble = f"hangs: no result within {self.limit_seconds:g} s" if late else self._trouble(run.line, errors)
        self._child = None
        return run

    def _wait(self):
        try:
            output, errors = self._child.communicate(timeout=self.limit_seconds)
            return output, errors, False
        except subprocess.TimeoutExpired:
            self.kill()
            output, errors = self._child.communicate()
            return output, errors, True

    def _reap(self):
        """CPU seconds of the children that have ended since the last call, and of what they waited for."""
        usage = os.times()
        total = usage.children_user + usage.children_system
        used, self._reaped = total - self._reaped, total
        return used

    def _trouble(self, line, errors):
        code = self._child.returncode
        if code < 0:
            return f"crashes: {signal.Signals(-code).name}"
        if line.get("wrong"):
            return f"wrong result: {line['wrong']}"
        if code != 0:
            last = errors.decode(errors="replace").strip().splitlines()
            return f"fails with exit code {code}" + (f": {last[-1][:120]}" if last else "")
        if not line:
            return "prints no result"
        if not line.get("ok") or not line.get("messages") or not line.get("seconds"):
            return "wrong result: the line lacks ok, messages or seconds"
        return ""

    def adopt(self, child):
        """A process group that somebody else waits for, to be ended with ours; None: no longer."""
        self._child = child

    def kill(self):
        """Ends the running child and everything that it started. For signal handlers, too."""
        child = self._child
        if child is None:
            return
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def _die_with_parent():
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _last_line(output):
    for line in reversed(output.decode(errors="replace").splitlines()):
        try:
            parsed = json.loads(line)
        except ValueError:
            continue
        if isinstance(parsed, dict):
            return parsed
    return {}
