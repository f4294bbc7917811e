"""Compiles one program and looks at what the compiler says, as a user reads it.

    compile_fail.py [--lines-max N] PROGRAM.cc -- COMPILER FLAGS..

Beside a wrong program stands PROGRAM.expected: pieces, one a line, that its first error line must all contain. The
whole output may have --lines-max lines. A program without such a file must compile, silently.
"""

import argparse
import pathlib
import subprocess
import sys


def first_error(output: str) -> str:
    return next((line for line in output.splitlines() if " error: " in line), "")


def complaints(output: str, failed: bool, pieces: list, lines_max: int) -> list:
    if not pieces:
        return ["it must compile without a word"] if failed or output.strip() else []
    if not failed:
        return ["it must not compile"]
    error = first_error(output)
    found = [f"the first error line does not contain: {piece}" for piece in pieces if piece not in error]
    lines = len(output.splitlines())
    if lines_max and lines > lines_max:
        found.append(f"{lines} lines of output, {lines_max} are allowed")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--lines-max", type=int, default=0)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()

    expected = arguments.program.with_suffix(".expected")
    pieces = expected.read_text().split("\n") if expected.exists() else []
    pieces = [piece for piece in pieces if piece]
    compiler = subprocess.run(
        arguments.command + ["-fsyntax-only", "-fdiagnostics-color=never", str(arguments.program)],
        capture_output=True, text=True, check=False)

    found = complaints(compiler.stderr, compiler.returncode != 0, pieces, arguments.lines_max)
    for complaint in found:
        print(f"{arguments.program.name}: {complaint}")
    if found:
        print("The compiler said:")
        print(compiler.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
