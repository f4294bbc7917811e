"""What the tests of the driver have in common."""

import os
import pathlib
import select
import stat
import sys
import tempfile
import textwrap
import unittest

SUITE = pathlib.Path(__file__).resolve().parents[2] / "bench" / "suite"
sys.path.insert(0, str(SUITE))


def line(rate, **more):
    return {"messages": int(rate), "seconds": 1.0, "cpu_seconds": 1.0, "rss_bytes": 2**20, "ok": True, **more}


class Folder(unittest.TestCase):
    def setUp(self):
        self._folder = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self._folder.name)

    def tearDown(self):
        self._folder.cleanup()

    def program(self, name, text, interpreter=sys.executable):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!{interpreter}\n" + textwrap.dedent(text))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path


def ended(pid):
    """Waits for it."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([process], [], [], 10)[0])
    finally:
        os.close(process)
