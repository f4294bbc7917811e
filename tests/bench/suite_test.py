"""The driver of ./dev bench, over fake systems: what it keeps, what it says of trouble, what it compares."""

import json
import os
import signal
import subprocess
import sys
import unittest

from suite_kit import SUITE, Folder, ended, line

import catalog  # noqa: E402
import compare  # noqa: E402
import figures  # noqa: E402
import main  # noqa: E402
import page  # noqa: E402
import recorded  # noqa: E402
import results as results_module  # noqa: E402
import soak  # noqa: E402
import systems  # noqa: E402
import tables  # noqa: E402
import targets  # noqa: E402
import written  # noqa: E402
from measure import Run  # noqa: E402

MACHINE = {"cpu": "Test CPU", "cpu_family_model": "1/1", "cpus": 2, "kernel": "6.0", "memory_mib": 1024}


def results_of(figures_by_cell, machine=None, **more):
    """{(system, workload): [rates]}"""
    runs = [Run(system, workload, line(rate)) for (system, workload), rates in figures_by_cell.items() for rate in rates]
    names = dict.fromkeys(["quern", "floor", *(system for system, _ in figures_by_cell)])
    described = [{"name": name, "title": name, "version": "1", "missing": ""} for name in names]
    return results_module.Results(machine or MACHINE, described, runs, "today", **more)


def row(name):
    return catalog.rows_of(name)[0]


class FiguresTest(unittest.TestCase):
    def test_five_against_five_without_overlap(self):
        self.assertAlmostEqual(figures.mann_whitney([1, 2, 3, 4, 5], [6, 7, 8, 9, 10]), 2 / 252)

    def test_equal_samples_do_not_differ(self):
        self.assertEqual(figures.mann_whitney([1, 2, 3], [1, 2, 3]), 1.0)
        self.assertEqual(figures.mann_whitney([7, 7], [7, 7, 7]), 1.0)

    def test_large_samples_take_the_normal_approximation(self):
        low, high = [float(i) for i in range(30)], [float(i) + 0.5 for i in range(30)]
        self.assertGreater(figures.mann_whitney(low, high), 0.5)
        self.assertLess(figures.mann_whitney(low, [value + 100 for value in high]), 1e-6)

    def test_figures_are_short(self):
        self.assertEqual([figures.readable(v) for v in (63123456, 19500, 128, 0.5, None)],
                         ["63.1 M", "19.5 k", "128", "0.500", "-"])

    def test_did_you_mean(self):
        names = ["ping-pong", "skynet", "thread-ring"]
        self.assertEqual(figures.did_you_mean("pingpong", names), ' Did you mean "ping-pong"?')
        self.assertEqual(figures.did_you_mean("quicksort", names), "")


class TargetsTest(unittest.TestCase):
    def verdict(self, quern, peer, floor):
        results = results_of({("quern", "ping-pong"): [quern] * 3, ("caf", "ping-pong"): [peer] * 3,
                              ("floor", "loop-pair"): [floor] * 3})
        return targets.standings(results, [])[0].verdict

    def test_a_row_is_met_by_the_multiple_of_a_peer_or_by_the_share_of_the_floor(self):
        self.assertEqual(self.verdict(quern=40e6, peer=10e6, floor=100e6), "met")
        self.assertEqual(self.verdict(quern=70e6, peer=60e6, floor=100e6), "met")
        self.assertEqual(self.verdict(quern=39e6, peer=10e6, floor=100e6), "missed")

    def test_a_row_without_a_target_has_no_verdict(self):
        results = results_of({("quern", "idle-passivated"): [400.0] * 3})
        self.assertEqual(targets.standings(results, [])[0].verdict, "-")

    def test_placement_by_hand_decides_nothing(self):
        results = results_of({("quern", "big"): [10e6] * 3, ("caf", "big"): [10e6] * 3,
                              ("actix-together", "big"): [1e6] * 3})
        self.assertEqual(targets.standings(results, [])[0].verdict, "missed")

    def test_of_latency_less_is_better(self):
        runs = [Run(system, "ask", line(1e6, p50_ns=p50, p999_ns=p999))
                for system, p50, p999 in (("quern", 100, 900), ("caf", 300, 700), ("goakt", 250, 9000)) for _ in range(3)]
        results = results_of({("floor", "loop-pair"): [1e6]})
        results.runs += runs
        p50, p999 = targets.standings(results, [])
        self.assertEqual((p50.verdict, p50.marks[0].against), ("met", "goakt"))
        self.assertEqual((p999.verdict, p999.marks[0].against), ("missed", "caf"))

    def test_a_grain_is_held_to_the_cost_of_a_plain_actor(self):
        results = results_of({("quern", "grain-ask"): [4e6], ("quern", "ask"): [5e6]})
        [ratio] = targets.own_ratios(results)
        self.assertAlmostEqual(ratio.reached, 1.25)
        self.assertEqual(ratio.verdict, "met")


class FeaturesTest(unittest.TestCase):
    def rows(self, plain, with_it):
        return tables.feature_table(results_of({("quern", "features-tell"): plain, ("quern", "features-tell-stash"): with_it}))

    def test_a_feature_that_costs_no_more_than_noise_costs_nothing(self):
        [_, row] = self.rows([10e6, 11e6, 12e6, 13e6, 14e6], [10.5e6, 11.5e6, 12e6, 12.5e6, 13.5e6])
        self.assertEqual((row[0], row[-1]), ("a stash", "nothing"))

    def test_one_that_costs_is_told_in_nanoseconds_a_message(self):
        [_, row] = self.rows([10e6, 10.1e6, 9.9e6, 10e6, 10e6], [5e6, 5.1e6, 4.9e6, 5e6, 5e6])
        self.assertEqual((row[3], row[4], row[-1]), ("+100.0", "+100.0%", "costs"))

    def test_latencies_have_a_row_a_quantile_and_a_column_a_system(self):
        results = results_of({})
        figures_of = {"p50_ns": 1e3, "p99_ns": 1e4, "p999_ns": 1e5, "max_ns": 1e6, "peak": 1e6}
        results.runs = [Run(system, "ask-load-50", line(5e5, **figures_of)) for system in ("quern", "caf") for _ in range(3)]
        results.systems.append({"name": "caf", "title": "CAF", "version": "1", "missing": ""})
        rows = tables.latency_table(results)
        self.assertEqual([row[0] for row in rows[1:]], ["50 %, p50", "50 %, p99", "50 %, p99.9", "50 %, longest", "50 %, peak, asks/s"])
        self.assertEqual(rows[0][1:], ["quern", "CAF"])
        self.assertEqual(tables.pause_line(results), "")
        results.runs += [Run("floor", catalog.PAUSES, line(1e7, max_ns=3e6)) for _ in range(3)]
        self.assertIn("3.00 M ns", tables.pause_line(results))
        self.assertIn(tables.pause_line(results), written.render(results, targets.standings(results, [])))
        self.assertIn("polyline", page.render(results, targets.standings(results, [])))


class SoakTest(Folder):
    def program_with(self, memory, last=""):
        return [str(self.program("soak", f"""
            import sys
            for second in range(1, int(sys.argv[1]) + 1):
                rss = {memory}
                print('{{"second":%d,"rss_bytes":%d,"heap_bytes":1048576,"transient":7,"active_grains":8,"tells":1,"asks":1,"grain_asks":1,"spawns":1,"ticks":1,"refused":0}}' % (second, rss))
            {last}
        """))]

    def run_with(self, *program, seconds=100):
        return soak.run(self.program_with(*program), seconds, 2, lambda child: None, lambda text: None)

    def test_memory_that_stays_is_flat_whatever_the_warm_up_took(self):
        found = self.run_with("2**20 * (1 if second < 30 else 100)")
        self.assertTrue(found.flat, found.verdict)
        self.assertIn("polyline", page.render_soak(found, MACHINE))
        self.assertEqual(found.heap, "malloc has handed out 1.0 MiB at the end, 1.0 at half time")
        self.assertIn(["active grains", "8.00", "8.00"], found.alive())

    def test_memory_that_grows_is_told(self):
        found = self.run_with("2**20 * (100 + second)")
        self.assertFalse(found.flat)
        self.assertIn("GROWS", found.verdict)

    def test_a_short_run_has_no_verdict(self):
        found = self.run_with("2**20", seconds=5)
        self.assertFalse(found.flat)
        self.assertIn("too short", found.verdict)

    def test_a_crash_and_a_refusal_are_named(self):
        with self.assertRaisesRegex(soak.Broken, "crashed or hung: SIGABRT"):
            self.run_with("1", "import os; sys.stdout.flush(); os.abort()")
        with self.assertRaisesRegex(soak.Broken, "exit code 1"):
            self.run_with("1", "sys.exit(1)")
        with self.assertRaisesRegex(soak.Broken, "dev build quern_soak"):
            soak.run([str(self.folder / "nothing")], 5, 2, lambda child: None, lambda text: None)


class RecordedTest(unittest.TestCase):
    MACHINES = [{"machine": "fast", "loop_pair": 100e6, "figures": {"caf": {"ping-pong": 6e6, "ask:p50_ns": 300,
                                                                            "idle-actors:bytes_each": 1248}}},
                {"machine": "slow", "loop_pair": 25e6, "figures": {"caf": {"ping-pong": 4e6}}}]

    def figure(self, name, floor=50e6, **more):
        results = results_of({("quern", name): [1.0], ("floor", "loop-pair"): [floor]}, **more)
        return recorded.figure(self.MACHINES, results, row(name), "caf")

    def test_a_rate_grows_with_the_floor_and_a_latency_shrinks(self):
        self.assertAlmostEqual(self.figure("ping-pong", floor=80e6).value, 6e6 * 0.8)
        self.assertAlmostEqual(self.figure("ask", floor=80e6).value, 300 / 0.8)

    def test_the_machine_that_was_nearer_counts(self):
        self.assertAlmostEqual(self.figure("ping-pong", floor=30e6).value, 4e6 * 30 / 25)

    def test_bytes_are_bytes(self):
        self.assertEqual(self.figure("idle-actors", floor=7e6).value, 1248)

    def test_without_a_floor_there_is_nothing_to_scale_by(self):
        results = results_of({("quern", "ping-pong"): [1.0]})
        self.assertIsNone(recorded.figure(self.MACHINES, results, row("ping-pong"), "caf"))

    def test_an_absent_peer_keeps_its_row_and_one_at_hand_is_never_looked_up(self):
        results = results_of({("quern", "ping-pong"): [1e6] * 3, ("floor", "loop-pair"): [100e6]})
        results.systems.append({"name": "caf", "title": "CAF", "version": "", "missing": "CAF_DIR is not set"})
        [cell] = targets.standings(results, self.MACHINES)[0].cells
        self.assertTrue(cell.recorded)
        self.assertIn("recorded", tables.cell_text(cell))

        results.systems[-1]["missing"] = ""
        self.assertEqual(targets.standings(results, self.MACHINES)[0].cells, [])

    def test_the_file_is_sound(self):
        known = {name for r in catalog.ROWS for name in (r.peers_workload, f"{r.peers_workload}:{r.figure}")}
        for machine in recorded.read():
            self.assertGreater(machine["loop_pair"], 0)
            for system, cells in machine["figures"].items():
                self.assertIn(system, catalog.SPREADING + catalog.BY_HAND)
                self.assertLessEqual(set(cells), known)


class CompareTest(Folder):
    def changes(self, old, new, workload="ping-pong"):
        before, after = (results_of({("quern", workload): rates}) for rates in (old, new))
        return compare.changes(before, after)

    def test_a_clear_loss_is_a_regression(self):
        [change] = self.changes([100, 101, 102, 103, 104], [80, 81, 82, 83, 84])
        self.assertEqual(change.verdict, "WORSE")

    def test_a_clear_gain_is_none(self):
        [change] = self.changes([80, 81, 82, 83, 84], [100, 101, 102, 103, 104])
        self.assertEqual(change.verdict, "better")

    def test_overlap_and_small_changes_are_noise(self):
        [wide] = self.changes([100, 60, 90, 120, 80], [70, 95, 65, 85, 75])
        [small] = self.changes([100, 100.1, 100.2, 100.3, 100.4], [99, 98.9, 98.8, 98.7, 98.6])
        self.assertEqual((wide.verdict, small.verdict), ("noise", "noise"))

    def test_three_runs_cannot_tell(self):
        [change] = self.changes([100, 101, 102], [50, 51, 52])
        self.assertEqual(change.verdict, "too few runs")

    def test_of_bytes_more_is_worse(self):
        before, after = (results_of({("floor", "loop-pair"): [1]}) for _ in range(2))
        before.runs += [Run("quern", "idle-actors", line(1e6, bytes_each=100 + i / 10)) for i in range(5)]
        after.runs += [Run("quern", "idle-actors", line(1e6, bytes_each=150 + i / 10)) for i in range(5)]
        [change] = compare.changes(before, after)
        self.assertEqual(change.verdict, "WORSE")

    def test_a_workload_that_now_breaks_is_lost(self):
        before = results_of({("quern", "big"): [1.0] * 5})
        after = results_of({})
        after.runs.append(Run("quern", "big", trouble="crashes: SIGABRT"))
        self.assertEqual(compare.lost(before, after), ["big: crashes: SIGABRT"])

    def test_another_machine_and_a_damaged_or_missing_file_say_so(self):
        here, there = results_of({}), results_of({}, machine={**MACHINE, "cpu": "Other CPU"})
        with self.assertRaisesRegex(results_module.Unreadable, "another machine"):
            compare.check_machines(there, here, "old.json")
        with self.assertRaisesRegex(results_module.Unreadable, "quick"):
            compare.check_machines(results_of({}, quick=True), here, "old.json")
        with self.assertRaisesRegex(results_module.Unreadable, "No such file"):
            results_module.load(self.folder / "nothing.json")
        for text in ("", "{", "[]", '{"format": 1}', '{"format": 1, "machine": 7}', "\x00"):
            (self.folder / "bad.json").write_text(text)
            with self.subTest(text=text), self.assertRaisesRegex(results_module.Unreadable, "damaged|format"):
                results_module.load(self.folder / "bad.json")
        (self.folder / "old.json").write_text('{"format": 99}')
        with self.assertRaisesRegex(results_module.Unreadable, "another version"):
            results_module.load(self.folder / "old.json")

    def test_results_come_back_as_they_were(self):
        before = results_of({("quern", "big"): [1.0, 2.0]})
        results_module.save(before, self.folder / "new.json")
        self.assertEqual(results_module.load(self.folder / "new.json"), before)


class ReportTest(unittest.TestCase):
    def results(self):
        results = results_of({("quern", "ping-pong"): [9e6, 10e6, 11e6], ("caf", "ping-pong"): [20e6] * 3,
                              ("floor", "loop-pair"): [100e6] * 3})
        results.runs += [Run("goakt", "ping-pong", trouble="crashes: SIGSEGV"),
                         *(Run("quern", "big", line(5e6), kept=False) for _ in range(5))]
        results.systems.append({"name": "goakt", "title": "goakt", "version": "4", "missing": ""})
        return results

    def test_losing_rows_and_broken_peers_are_shown_like_the_others(self):
        results = self.results()
        for text in (page.render(results, targets.standings(results)), written.render(results, targets.standings(results))):
            self.assertIn("missed", text)
            self.assertIn("crashes: SIGSEGV", text)
            self.assertIn("(recorded)", text)
            self.assertIn("20.0 M", text)

    def test_a_disturbed_figure_is_marked(self):
        cell = self.results().cell(row("big"), "quern")
        self.assertTrue(cell.disturbed)
        self.assertEqual(tables.cell_text(cell), "5.00 M †")

    def test_the_page_needs_nothing_but_itself(self):
        results = self.results()
        text = page.render(results, targets.standings(results))
        self.assertNotRegex(text, r"(src|href)=|https?://|@import|<script")
        self.assertIn("prefers-color-scheme: dark", text)
        self.assertEqual(text.count("<svg"), text.count("</svg>"))

    def test_every_required_peer_can_be_found(self):
        names = {peer.name for peer in systems.PEERS_ALL}
        self.assertLessEqual(set(catalog.REQUIRED), names)


class MainTest(Folder):
    """The whole command over programs that are small scripts."""

    FAKE = """
        import sys, time
        if "--list" in sys.argv:
            print("ping-pong 100"); print("skynet 10")
            sys.exit()
        {body}
        print('{{"messages":100,"seconds":0.001,"cpu_seconds":0.001,"rss_bytes":1,"ok":true}}')
    """

    def start(self, *arguments, body="", environment=None):
        self.program("bench/workloads/quern_workloads", self.FAKE.format(body=body))
        self.program("bench/floor/quern_floor", "print('loop-pair 1')" if body else """
            import sys
            if "--list" in sys.argv:
                print("loop-pair 1")
            else:
                print('{"messages":100,"seconds":0.001,"ok":true}')
        """)
        return subprocess.Popen(
            [sys.executable, "-B", str(SUITE / "main.py"), "--build", str(self.folder), "--out", str(self.folder / "out"),
             "--systems", "none", "--seconds", "5", "--patience", "0", "--quick", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)

    def finish(self, *arguments):
        ended_with = self.start(*arguments)
        output, errors = ended_with.communicate(timeout=60)
        return ended_with.returncode, output, errors

    def test_a_run_leaves_results_and_a_report(self):
        code, output, errors = self.finish("--json", "ping-pong")
        self.assertEqual(code, 0, errors)
        self.assertEqual({run["workload"] for run in json.loads(output)["runs"]}, {"ping-pong", "loop-pair"})
        self.assertIn("<svg", (self.folder / "out" / "report.html").read_text())

    def test_an_unknown_workload_is_wrong_usage(self):
        code, _, errors = self.finish("pingpong")
        self.assertEqual(code, 2)
        self.assertIn('Did you mean "ping-pong"?', errors)

    def test_an_unknown_peer_is_wrong_usage(self):
        code, _, errors = self.finish("--systems", "goact")
        self.assertEqual(code, 2)
        self.assertIn('Did you mean "goakt"?', errors)

    def test_comparison_with_itself_is_no_regression(self):
        self.assertEqual(self.finish("ping-pong")[0], 0)
        old = self.folder / "old.json"
        old.write_text((self.folder / "out" / "results.json").read_text())
        code, _, errors = self.finish("--from", str(old), "--compare", str(old))
        self.assertEqual(code, 0, errors)

    def test_a_regression_exits_with_1(self):
        old, new = (results_of({("quern", "ping-pong"): rates, ("floor", "loop-pair"): [1]})
                    for rates in ([100, 101, 102, 103, 104], [50, 51, 52, 53, 54]))
        results_module.save(old, self.folder / "old.json")
        results_module.save(new, self.folder / "new.json")
        code, _, errors = self.finish("--from", str(self.folder / "new.json"), "--compare", str(self.folder / "old.json"))
        self.assertEqual(code, 1)
        self.assertIn("WORSE", errors)

    def test_a_missing_file_to_compare_with_is_said_before_anything_is_measured(self):
        code, _, errors = self.finish("--compare", str(self.folder / "nothing.json"))
        self.assertEqual(code, 2)
        self.assertIn("No such file", errors)
        self.assertNotIn("==>", errors)

    def test_an_interrupt_while_a_peer_is_built_leaves_nothing_running(self):
        note = self.pipe()
        self.program("tools/go", f'''
            import os, signal
            open({str(note)!r}, "w").write(str(os.getpid()))
            signal.pause()
        ''')
        tools = f"{self.folder / 'tools'}:{os.environ['PATH']}"
        started = self.start("ping-pong", "--systems", "proto-actor", environment={**os.environ, "PATH": tools})
        self.interrupt(started, note)

    def test_an_interrupt_leaves_nothing_running(self):
        note = self.pipe()
        started = self.start("ping-pong", body=f'import os, signal; open({str(note)!r}, "w").write(str(os.getpid())); signal.pause()')
        self.interrupt(started, note)

    def pipe(self):
        path = self.folder / "pid"
        os.mkfifo(path)
        return path

    def interrupt(self, started, note):
        """Once the program that says its process id in `note` runs."""
        pid = int(note.read_text())  # waits for it
        started.send_signal(signal.SIGINT)
        _, errors = started.communicate(timeout=30)
        self.assertEqual(started.returncode, 130, errors)
        self.assertTrue(ended(pid))


if __name__ == "__main__":
    os.environ.pop("CAF_DIR", None)
    unittest.main()
