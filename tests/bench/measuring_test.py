"""How ./dev bench measures: one run with all that may go wrong in it, and the order of runs."""

import os
import signal
import subprocess
import sys
import time
import unittest

from suite_kit import Folder, ended, line

import catalog  # noqa: E402
import measure  # noqa: E402
import schedule  # noqa: E402
import systems  # noqa: E402
from measure import Run  # noqa: E402

GOOD = '{"system":"fake","workload":"ping-pong","messages":100,"seconds":0.5,"cpu_seconds":0.4,"rss_bytes":1,"ok":true}'


class RunnerTest(Folder):
    def run_program(self, text, limit=20.0):
        runner = measure.Runner(limit, other_load_max=1000)
        return runner.run("fake", "ping-pong", [str(self.program("fake", text))])

    def test_a_run_is_the_last_line_of_json(self):
        run = self.run_program(f"print('hello'); print('{GOOD}')")
        self.assertEqual((run.trouble, run.line["messages"], run.kept), ("", 100, True))

    def test_a_crash_is_named_by_its_signal(self):
        run = self.run_program("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
        self.assertEqual(run.trouble, "crashes: SIGSEGV")

    def test_a_hang_ends_at_its_limit_and_leaves_no_process(self):
        note = self.folder / "grandchild"
        begin = time.monotonic()
        run = self.run_program(f"""
            import os, signal
            child = os.fork()
            if child: open({str(note)!r}, "w").write(str(child))
            signal.pause()
        """, limit=1.0)
        self.assertEqual(run.trouble, "hangs: no result within 1 s")
        self.assertLess(time.monotonic() - begin, 20)
        self.assertTrue(ended(int(note.read_text())))

    def test_a_miscount_is_quoted(self):
        run = self.run_program("""
            import sys
            print('{"messages":9,"seconds":1,"ok":false,"wrong":"messages handled: 9, should be 10"}')
            sys.exit(1)
        """)
        self.assertEqual(run.trouble, "wrong result: messages handled: 9, should be 10")

    def test_a_failure_shows_the_last_words(self):
        run = self.run_program("import sys; print('no such flag', file=sys.stderr); sys.exit(3)")
        self.assertEqual(run.trouble, "fails with exit code 3: no such flag")

    def test_silence_is_no_result(self):
        self.assertEqual(self.run_program("pass").trouble, "prints no result")

    def test_a_program_that_is_not_there_does_not_start(self):
        run = measure.Runner(5, 1000).run("fake", "ping-pong", [str(self.folder / "nothing")])
        self.assertIn("does not start", run.trouble)

    def test_other_load_unkeeps_a_run(self):
        spinner = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        try:
            runner = measure.Runner(20, other_load_max=0.0)
            run = runner.run("fake", "ping-pong", [str(self.program("fake", f"import time\nwhile time.process_time() < .5: pass\nprint('{GOOD}')"))])
        finally:
            spinner.kill()
            spinner.wait()
        self.assertFalse(run.kept)
        self.assertGreater(run.other_load, 0.1)


class FakeRunner:
    def __init__(self, answer=lambda system, n: Run(system, "w", line(100))):
        self.order = []
        self._answer = answer

    def run(self, system, workload, command, environment=None):
        self.order.append(system)
        run = self._answer(system, self.order.count(system))
        run.workload = workload
        return run


class NoWait:
    def wait(self):
        pass


def schedule_runs(runner, names="ABC", workloads=("w",), seconds=1e9, clock=lambda: 0.0, **more):
    all_systems = [systems.System(name, name, ["x"], sizes={w: 10 for w in workloads}) for name in names]
    plan = schedule.Plan([(workload, all_systems) for workload in workloads], seconds, **more)
    return schedule.Schedule(plan, runner, lambda text: None, quiet=NoWait(), clock=clock).run()


class ScheduleTest(unittest.TestCase):
    def test_systems_take_turns(self):
        runner = FakeRunner()
        schedule_runs(runner, rounds=3)
        self.assertEqual("".join(runner.order), "ABCABCABC")

    def test_workloads_of_a_group_take_turns_too(self):
        order = []
        runner = FakeRunner()
        run = runner.run
        runner.run = lambda system, workload, *rest: order.append(workload) or run(system, workload, *rest)
        system = systems.System("A", "A", ["x"], sizes={"v": 10, "w": 10, "x": 10})
        plan = schedule.Plan([(("v", "w"), [system]), ("x", [system])], 1e9, rounds=2)
        schedule.Schedule(plan, runner, lambda text: None, quiet=NoWait(), clock=lambda: 0.0).run()
        self.assertEqual("".join(order), "vwvwxx")

    def test_features_stand_beside_what_they_are_compared_with(self):
        self.assertEqual(catalog.grouped(["big", "features-tell", "ask", "features-tell-stash"]),
                         ["big", ("features-tell", "features-tell-stash"), "ask"])

    def test_disturbed_runs_are_repeated_up_to_a_bound(self):
        runner = FakeRunner(lambda system, n: Run(system, "w", line(1), kept=system != "B"))
        schedule_runs(runner, names="AB", rounds=2, spare=2)
        self.assertEqual((runner.order.count("A"), runner.order.count("B")), (2, 4))

    def test_a_workload_may_have_rounds_and_time_of_its_own(self):
        runner = FakeRunner()
        now = iter(range(10**9))
        schedule_runs(runner, names="A", workloads=("v", "w"), rounds=2, rounds_of={"w": 6}, seconds=1e6,
                      clock=lambda: next(now))
        self.assertEqual("".join(runner.order), "A" * 8)
        system = systems.System("A", "A", ["x"], sizes={"v": 10, "w": 10})
        plan = schedule.Plan([("v", [system]), ("w", [system])], 100, rounds=2, rounds_of={"w": 6}, spare=100)
        clock = [0.0]
        runner = FakeRunner(lambda name, n: Run(name, "w", line(1), kept=False))
        run = runner.run

        def ten_seconds(*arguments):
            clock[0] += 10
            return run(*arguments)

        runner.run = ten_seconds
        runs = schedule.Schedule(plan, runner, lambda text: None, quiet=NoWait(), clock=lambda: clock[0]).run()
        self.assertEqual([sum(r.workload == name for r in runs) for name in "vw"], [5, 5])

    def test_what_breaks_twice_is_left_alone(self):
        runner = FakeRunner(lambda system, n: Run(system, "w", trouble="crashes: SIGSEGV" if system == "B" else "",
                                                  line=line(1)))
        schedule_runs(runner, rounds=5)
        self.assertEqual((runner.order.count("A"), runner.order.count("B"), runner.order.count("C")), (5, 2, 5))

    def test_every_cell_runs_once_even_without_time(self):
        runner = FakeRunner()
        now = iter(range(0, 10**9, 100))
        schedule_runs(runner, workloads=("v", "w"), seconds=1, clock=lambda: next(now))
        self.assertEqual("".join(runner.order), "ABCABC")

    def test_a_machine_that_is_never_quiet_is_not_waited_for_forever(self):
        now = [0.0]

        def busy():
            now[0] += 0.1
            return 1.0

        quiet = schedule.Quiet(load=busy, clock=lambda: now[0])
        for _ in range(50):
            quiet.wait()
        self.assertLess(now[0], schedule.QUIET_WAIT_SECONDS * schedule.GIVES_UP_WAITING_AFTER + 50 * 0.2 + 1)


if __name__ == "__main__":
    unittest.main()
