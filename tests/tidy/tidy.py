#!/usr/bin/env python3
"""Walks the tracked files and reports what breaks the house rules: `python3 tests/tidy/tidy.py`.

The rules are tables in rules.py; README.md says why each exists. Exit code 0: clean, 1: findings.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field

import rules

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
INCLUDE = re.compile(r'^\s*#\s*include\s*["<]([^">]+)[">]')
TEST_CASE = re.compile(r"\b(?:TYPED_)?TEST(?:_F|_P)?\s*\(\s*(\w+)\s*,\s*(\w+)\s*\)")
CTEST_NAME = re.compile(r"\badd_test\s*\(\s*NAME\s+([\w.${}-]+)")


@dataclass
class Finding:
    rule: str
    path: str
    line: int
    text: str
    warning: bool = False

    def __str__(self):
        kind = "warning" if self.warning else "error"
        return f"{self.path}:{self.line}: {kind}: [{self.rule}] {self.text}"


@dataclass
class Source:
    """One tracked file, read once."""

    path: str
    text: str
    lines: list = field(init=False)
    code: list = field(init=False)  # lines without comments and literals
    includes: list = field(init=False)  # (line number, path)

    def __post_init__(self):
        self.lines = self.text.split("\n")
        self.code = blank_comments_and_literals(self.text).split("\n") if self.is_cxx else []
        self.includes = [(n, m.group(1)) for n, line in enumerate(self.lines, 1) if (m := INCLUDE.match(line))]

    @property
    def is_cxx(self):
        return self.path.endswith((".h", ".cc"))

    @property
    def is_header(self):
        return self.path.endswith(".h")

    @property
    def is_public(self):
        return self.is_header and "/include/" in self.path

    @property
    def module(self):
        top = self.path.split("/", 1)[0]
        return top if top in rules.MODULES else None

    @property
    def is_kit(self):
        """Belongs to a shipped test kit."""
        return self.module is not None and "/testing/" in self.path

    @property
    def zones(self):
        found = set()
        top = self.path.split("/", 1)[0]
        if self.module:
            found.add("modules")
        elif top in ("samples", "tests", "bench"):
            found.add(top)
        if self.module in ("cluster", "datacenter"):
            found.add("placement")
        if self.is_header:
            found.add("headers")
        if self.is_public:
            found.add("public")
        return found


def blank_comments_and_literals(text):
    """Replaces comments and the insides of literals with spaces; line numbers stay."""
    pattern = re.compile(
        r"//[^\n]*|/\*.*?\*/"  # comments
        r'|R"([^()\s\\]{0,16})\(.*?\)\1"'  # raw strings
        r'|"(?:\\.|[^"\\\n])*"'
        r"|(?<![0-9A-Za-z_])'(?:\\.|[^'\\\n])+'",  # not a digit separator
        re.DOTALL)
    return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match.group(0)), text)


# --- rules over one file ------------------------------------------------------------------------------------------------


def check_layers(source, header_homes):
    """Include direction, test kits and providers."""
    if source.module is None:
        return
    own_rank = rules.MODULES.index(source.module)
    for line, path in source.includes:
        generated = re.match(r"^quern/(\w+)/v1/.*\.pb\.h$", path)
        if generated:
            if source.module not in rules.PROTO_USERS.get(generated.group(1), ()):
                yield Finding("layers", source.path, line, f"{source.module} may not include {path}")
            continue
        home = header_homes.get(path)
        target = home.split("/", 1)[0] if home else (re.match(r"^quern/(\w+)/", path) or [None, None])[1]
        if target in rules.MODULES and rules.MODULES.index(target) > own_rank:
            yield Finding("layers", source.path, line,
                          f"{source.module} may not include {path}: arrows run {' <- '.join(rules.MODULES)}")
        if source.is_kit:
            continue
        if home and "/testing/" in home:
            yield Finding("layers", source.path, line, f"{path} is a test kit; only tests and test kits include it")
        if home and home.startswith("cluster/providers/") and not source.path.startswith("cluster/providers/"):
            yield Finding("layers", source.path, line,
                          f"{path} is a provider; only the program that links it includes it")
        if path == "quern/quern.h":
            yield Finding("layers", source.path, line, "quern/quern.h is for users; include what you need")


def check_fences(source):
    if source.module is None and not source.path.startswith("samples/"):
        return
    for line, path in source.includes:
        for fence in rules.FENCES:
            if re.search(fence.include, path) and not source.path.startswith(fence.allowed):
                yield Finding("fences", source.path, line,
                              f"{path}: {fence.name} only in {', '.join(fence.allowed)}")
        if source.is_public and re.search(rules.PUBLIC_FENCE, path):
            yield Finding("public", source.path, line,
                          f"{path} in a public header; hide it behind a private implementation")


def check_bans(source):
    for ban in rules.BANS:
        if not source.zones.intersection(ban.zones):
            continue
        for number, line in enumerate(source.code, 1):
            match = re.search(ban.token, line)
            if match:
                yield Finding(ban.name, source.path, number, f"\"{match.group(0).strip()}\": use {ban.instead}")


def check_placeholders(source):
    for number, line in enumerate(source.lines, 1):
        if re.search(rules.PLACEHOLDER, line):
            yield Finding("placeholder", source.path, number, "decide it now, or record the decision in ARCHITECTURE.md")
        if re.search(rules.MACHINE_PATH, line):
            yield Finding("machine path", source.path, number, "a path of one machine does not belong in the tree")


def check_length(source):
    count = len(source.lines) - 1
    if count > rules.LINES_MAX:
        yield Finding("length", source.path, count, f"{count} lines; {rules.LINES_MAX} is the wall, split it")
    elif count > rules.LINES_WARN:
        yield Finding("length", source.path, count, f"{count} lines; most files stay under {rules.LINES_WARN}", warning=True)


def check_function_length(source):
    """Relies on clang-format: a function at column 0 or 2 ends with a brace at the column of its head."""
    not_functions = r"(?:template\s*<.*>\s*)?(?:namespace|class|struct|enum|union|extern|if|for|while|do|switch|else)\b"
    for column in (0, 2):
        head = body = None
        for number, text in enumerate(source.code, 1):
            indent = len(text) - len(text.lstrip())
            stripped = text.strip()
            if not stripped or stripped.startswith("#"):
                continue
            if indent == column and not stripped.startswith("}"):
                head, body = (None if stripped.endswith(";") else number), None
            if head and body is None and stripped.endswith("{") and indent >= column:
                body = number
            if indent == column and stripped.startswith("}") and body:
                length, declaration = number - body - 1, " ".join(source.code[head - 1:body]).strip()
                if length > rules.FUNCTION_LINES_MAX and "(" in declaration and not re.match(not_functions, declaration):
                    yield Finding("function length", source.path, head,
                                  f"{length} lines; {rules.FUNCTION_LINES_MAX} is the wall, split it")
                head = body = None


def expected_guard(path):
    inside = path.split("/include/", 1)[1] if "/include/" in path else os.path.basename(path)
    return re.sub(r"[^A-Za-z0-9]", "_", inside).upper() + "_"


def check_guard(source):
    if not source.is_header:
        return
    text = "\n".join(source.code)
    match = re.search(r"^\s*#ifndef\s+(\w+)\s*\n\s*#define\s+(\w+)\s*$", text, re.MULTILINE)
    expected = expected_guard(source.path)
    if not match or match.group(1) != match.group(2):
        yield Finding("guard", source.path, 1, f"no include guard ({expected})")
    elif source.is_public and match.group(1) != expected:
        yield Finding("guard", source.path, 1, f"guard {match.group(1)} should be {expected}")
    elif not match.group(1).endswith(expected):
        yield Finding("guard", source.path, 1, f"guard {match.group(1)} should end with {expected}")


def check_banner(source):
    if not source.is_public:
        return
    count = 0
    for line in source.lines:
        if not line.startswith("//"):
            break
        count += 1
    if count < rules.BANNER_LINES_MIN:
        yield Finding("banner", source.path, 1, "a public header opens with what it is, the problem, an example, the thread contract")


# --- rules over the whole tree --------------------------------------------------------------------------------------------


def check_dead_headers(sources):
    included = [(source.path, path) for source in sources for _, path in source.includes]
    for source in sources:
        if not source.is_header:
            continue
        name = source.path.split("/include/", 1)[1] if source.is_public else source.path
        alive = any(user != source.path and (path == name or ("/" + name).endswith("/" + path)) for user, path in included)
        if not alive:
            yield Finding("dead header", source.path, 1, "nobody includes it")


def check_guards_unique(sources):
    seen = {}
    for source in sources:
        match = re.search(r"^\s*#ifndef\s+(\w+_H_)\s*$", "\n".join(source.code), re.MULTILINE)
        if source.is_header and match:
            other = seen.setdefault(match.group(1), source.path)
            if other != source.path:
                yield Finding("guard", source.path, 1, f"guard {match.group(1)} is also that of {other}")


def check_proofs(documents, sources):
    """docs/features.md and docs/failures.md: each row of a table names tests in its last column, and they exist."""
    known = {f"{m.group(1)}.{m.group(2)}" for source in sources for m in TEST_CASE.finditer(source.text)}
    patterns = []  # of names made in a loop: samples.${NAME}
    for path, text in documents.items():
        if path.endswith("CMakeLists.txt"):
            patterns += [re.sub(r"\$\{\w+\}", r"[\\w-]+", name.replace(".", r"\.")) for name in CTEST_NAME.findall(text)]
    for path, without in rules.PAGES_WITH_PROOF.items():
        lines = documents.get(path, "").split("\n")
        for number, line in enumerate(lines, 1):
            is_row = line.startswith("|") and not set(line) <= set("|-: ")
            is_head = number < len(lines) and lines[number].startswith("|") and set(lines[number]) <= set("|-: ")
            if not is_row or is_head:
                continue
            proof = line.strip().strip("|").split("|")[-1]
            names = re.findall(r"`([\w.-]+)`", proof)
            if not names and not any(word in proof for word in without):
                yield Finding("proof", path, number, f"the row names no test; write \"{without[0]}\" if that is so")
            for name in names:
                if name not in known and not any(re.fullmatch(pattern, name) for pattern in patterns):
                    yield Finding("proof", path, number, f"there is no test {name}")


def check_hello(documents, sources):
    """README.md shows samples/hello/hello.cc, letter by letter."""
    readme = documents.get("README.md")
    sample = next((source.text for source in sources if source.path == "samples/hello/hello.cc"), None)
    if readme is None or sample is None:
        return
    blocks = re.findall(r"```cpp\n(.*?)```", readme, re.DOTALL)
    program = sample[sample.index("#include"):]
    if program not in blocks:
        yield Finding("hello", "README.md", 1, "the first program differs from samples/hello/hello.cc")


def check_links(documents, exists):
    """Relative links of the Markdown pages lead somewhere."""
    for path, text in documents.items():
        if not path.endswith(".md"):
            continue
        for number, line in enumerate(text.split("\n"), 1):
            for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", line):
                if not re.match(r"[a-z]+:", target) and not exists(os.path.normpath(os.path.join(os.path.dirname(path), target))):
                    yield Finding("links", path, number, f"{target} does not exist")


# --- the walk -------------------------------------------------------------------------------------------------------------


def check_tree(files, exceptions=rules.EXCEPTIONS):
    """Findings over {path: text}, after the exceptions; sorted."""
    sources = [Source(path, text) for path, text in files.items() if path.endswith((".h", ".cc"))]
    documents = {path: text for path, text in files.items() if not path.endswith((".h", ".cc"))}
    homes = {source.path.split("/include/", 1)[1]: source.path for source in sources if source.is_public}
    findings = []
    for source in sources:
        findings += check_layers(source, homes)
        for check in (check_fences, check_bans, check_placeholders, check_length, check_function_length, check_guard,
                      check_banner):
            findings += check(source)
    for path, text in documents.items():
        if path.endswith((".cmake", "CMakeLists.txt", ".proto")):
            findings += check_placeholders(Source(path, text))
    findings += check_dead_headers(sources)
    findings += check_guards_unique(sources)
    findings += check_proofs(documents, sources)
    findings += check_hello(documents, sources)
    findings += check_links(documents, lambda path: path in files or any(f.startswith(path + "/") for f in files))
    return sorted(excuse(findings, exceptions), key=lambda f: (f.warning, f.path, f.line))


def excuse(findings, exceptions):
    def covers(exception, finding):
        same_place = finding.path == exception.path or (exception.path.endswith("/") and finding.path.startswith(exception.path))
        return finding.rule == exception.rule and same_place

    kept = [finding for finding in findings if not any(covers(e, finding) for e in exceptions)]
    for exception in exceptions:
        if not exception.reason:
            kept.append(Finding("exceptions", "tests/tidy/rules.py", 1, f"{exception.path} has no reason"))
        if not any(covers(exception, finding) for finding in findings):
            kept.append(Finding("exceptions", "tests/tidy/rules.py", 1,
                                f"the exception \"{exception.rule}\" for {exception.path} excuses nothing; delete it"))
    return kept


def tracked_files():
    """Paths that git tracks; without git (a release archive), every file outside build/."""
    try:
        listed = subprocess.run(["git", "-c", "safe.directory=*", "-C", ROOT, "ls-files", "-z"], check=True,
                                capture_output=True).stdout.decode().split("\0")
        paths = [path for path in listed if path]
    except (OSError, subprocess.CalledProcessError):
        paths = []
        for folder, folders, names in os.walk(ROOT):
            folders[:] = [name for name in folders if name not in ("build", ".git")]
            paths += [os.path.relpath(os.path.join(folder, name), ROOT) for name in names]
    return sorted(path for path in paths if os.path.isfile(os.path.join(ROOT, path)))


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8", errors="replace") as file:
        return file.read()


def main():
    wanted = (".h", ".cc", ".md", ".cmake", "CMakeLists.txt", ".proto")
    files = {path: read(path) if path.endswith(wanted) else "" for path in tracked_files()}
    findings = check_tree(files)
    for finding in findings:
        print(finding)
    errors = sum(not finding.warning for finding in findings)
    print(f"tidy: {len(files)} files, {errors} errors, {len(findings) - errors} warnings")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
