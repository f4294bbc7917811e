"""Every workload of a program, at a tiny size: it verifies its own result and prints what the driver reads.

    workloads_test.py PROGRAM
"""

import json
import subprocess
import sys
import unittest

PROGRAM = sys.argv.pop()
SIZE = 100


def run(*arguments):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=60)


class WorkloadsTest(unittest.TestCase):
    def test_every_workload_verifies_its_result(self):
        names = [line.split()[0] for line in run("--list").stdout.splitlines()]
        self.assertTrue(names)
        for name in names:
            with self.subTest(workload=name):
                ended = run(name, "--size", str(SIZE), "--warm-up", "0")
                self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
                line = json.loads(ended.stdout)
                self.assertTrue(line["ok"])
                self.assertEqual(line["workload"], name)
                self.assertGreater(line["messages"], 0)
                self.assertGreater(line["seconds"], 0)

    def test_there_is_a_line_for_every_run(self):
        first = run("--list").stdout.split()[0]
        ended = run(first, "--size", str(SIZE), "--runs", "3")
        self.assertEqual(len(ended.stdout.splitlines()), 3)

    def test_an_unknown_workload_or_option_is_wrong_usage(self):
        for arguments in (["no-such-workload"], ["--no-such-option"], ["--size", "many"], []):
            with self.subTest(arguments=arguments):
                ended = run(*arguments)
                self.assertEqual(ended.returncode, 2)
                self.assertEqual(ended.stdout, "")

    def test_help_is_no_mistake(self):
        for word in ("--help", "-h"):
            ended = run(word)
            self.assertEqual((ended.returncode, ended.stderr), (0, ""))
            self.assertIn("--size N", ended.stdout)


if __name__ == "__main__":
    unittest.main()
