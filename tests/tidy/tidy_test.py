"""Each rule of tidy.py finds a planted violation, and lets the right form pass."""

import unittest

import rules
import tidy


def header(guard, body="int x;", banner="// What.\n// Why.\n// Thread-safe.\n"):
    return f"{banner}\n#ifndef {guard}\n#define {guard}\n\n{body}\n\n#endif\n"


def findings(files, exceptions=()):
    """'rule path:line' of every finding in {path: text}, dead headers left out unless they are the point."""
    return [f"{f.rule} {f.path}:{f.line}" for f in tidy.check_tree(files, exceptions) if f.rule != "dead header"]


class LayersTest(unittest.TestCase):
    def test_a_lower_module_may_not_include_a_higher_one(self):
        self.assertEqual(findings({"runtime/src/a.cc": '#include "quern/cluster/view.h"\n'}), ["layers runtime/src/a.cc:1"])

    def test_a_higher_module_may_include_a_lower_one(self):
        self.assertEqual(findings({"cluster/src/a.cc": '#include "quern/runtime/clock.h"\n'}), [])

    def test_generated_code_stays_with_the_modules_that_speak_it(self):
        include = '#include "quern/cluster/v1/cluster.pb.h"\n'
        self.assertEqual(findings({"remoting/src/a.cc": include, "cluster/src/b.cc": include}), ["layers remoting/src/a.cc:1"])

    def test_a_test_kit_is_for_tests(self):
        kit = "runtime/testing/include/quern/testing/virtual_time.h"
        files = {kit: header("QUERN_TESTING_VIRTUAL_TIME_H_"),
                 "runtime/src/a.cc": '#include "quern/testing/virtual_time.h"\n',
                 "remoting/testing/src/b.cc": '#include "quern/testing/virtual_time.h"\n',
                 "tests/runtime/c.cc": '#include "quern/testing/virtual_time.h"\n'}
        self.assertEqual(findings(files), ["layers runtime/src/a.cc:1"])

    def test_only_a_program_includes_a_provider(self):
        provider = "cluster/providers/nats/include/quern/cluster/nats_control_plane.h"
        files = {provider: header("QUERN_CLUSTER_NATS_CONTROL_PLANE_H_"),
                 "datacenter/src/a.cc": '#include "quern/cluster/nats_control_plane.h"\n',
                 "samples/flights/main.cc": '#include "quern/cluster/nats_control_plane.h"\n'}
        self.assertEqual(findings(files), ["layers datacenter/src/a.cc:1"])

    def test_the_umbrella_is_for_users(self):
        files = {"runtime/src/a.cc": "#include <quern/quern.h>\n", "samples/b.cc": "#include <quern/quern.h>\n"}
        self.assertEqual(findings(files), ["layers runtime/src/a.cc:1"])


class FencesTest(unittest.TestCase):
    def test_each_library_stays_behind_its_door(self):
        for include, door in (("boost/fiber/all.hpp", "runtime/src/scheduler/a.cc"), ("boost/asio.hpp", "remoting/src/asio/a.cc"),
                              ("boost/beast/http.hpp", "remoting/src/http/a.cc"), ("zstd.h", "remoting/src/frame/a.cc"),
                              ("nats/nats.h", "cluster/providers/nats/src/a.cc")):
            with self.subTest(include):
                files = {door: f"#include <{include}>\n", "datacenter/src/b.cc": f"#include <{include}>\n"}
                self.assertEqual(findings(files), ["fences datacenter/src/b.cc:1"])

    def test_a_public_header_shows_no_third_party_type(self):
        for include in ("boost/fiber/fiber.hpp", "openssl/ssl.h", "quern/wire/v1/wire.pb.h", "google/protobuf/message.h"):
            with self.subTest(include):
                text = header("QUERN_REMOTING_A_H_", f"#include <{include}>")
                self.assertIn("public remoting/include/quern/remoting/a.h:8",
                              findings({"remoting/include/quern/remoting/a.h": text}))


class BansTest(unittest.TestCase):
    # Every ban, a line that breaks it, a place where it holds.
    PLANTED = {
        "sleep": ("std::this_thread::sleep_for(d);", "tests/a.cc"),
        "clock": ("auto t = std::chrono::steady_clock::now();", "runtime/src/a.cc"),
        "thread": ("std::thread t(f);", "cluster/src/a.cc"),
        "random": ("std::random_device rd;", "tests/a.cc"),
        "socket": ("int fd = ::socket(AF_INET, SOCK_STREAM, 0);", "remoting/src/a.cc"),
        "mutex": ("std::shared_mutex m;", "runtime/src/a.cc"),
        "hash": ("absl::Hash<GrainId> h;", "cluster/src/a.cc"),
        "environment": ('auto* v = std::getenv("A");', "samples/a.cc"),
        "print": ('std::cerr << "x";', "cluster/src/a.cc"),
        "throw": ("throw 1;", "runtime/src/a.cc"),
        "detach": ("fiber.detach();", "bench/a.cc"),
        "thread_local": ("thread_local int x;", "runtime/src/a.cc"),
        "assert": ("assert(x);", "remoting/src/a.cc"),
        "string_view": ("void F(absl::string_view s);", "runtime/include/quern/runtime/a.h"),
        "using namespace": ("using namespace std;", "runtime/src/a.h"),
    }

    def test_every_banned_token_is_found(self):
        self.assertEqual(set(self.PLANTED), {ban.name for ban in rules.BANS})
        for name, (line, path) in self.PLANTED.items():
            with self.subTest(name):
                text = header(tidy.expected_guard(path) if "/include/" in path else "QUERN_A_H_", line) \
                    if path.endswith(".h") else line + "\n"
                number = text.split("\n").index(line) + 1
                self.assertEqual(findings({path: text}), [f"{name} {path}:{number}"])

    def test_comments_and_literals_are_not_code(self):
        text = ('// std::thread is not ours\n/* throw\n assert(x) */\nauto s = "std::mutex \\" throw";\n'
                'auto r = R"(std::thread t;)";\nint n = 10\'000\'000; char c = \'"\'; int m = 1;\n')
        self.assertEqual(findings({"runtime/src/a.cc": text}), [])

    def test_words_that_only_look_alike_pass(self):
        text = "static_assert(true);\nclock.sleep(x);\nstd::thread::id id;\nsnprintf(b, n, f);\nopen_socket(a);\nStrand(x);\n"
        self.assertEqual(findings({"runtime/src/a.cc": text}), [])

    def test_a_placeholder_is_found_in_comments_and_build_files(self):
        files = {"runtime/src/a.cc": "// TODO: later\n", "runtime/CMakeLists.txt": "# FIXME\n"}
        self.assertEqual(findings(files), ["placeholder runtime/CMakeLists.txt:1", "placeholder runtime/src/a.cc:1"])

    def test_a_machine_path_is_found(self):
        self.assertEqual(findings({"runtime/src/a.cc": 'auto p = "/home/me/x";\n'}), ["machine path runtime/src/a.cc:1"])


class SizeTest(unittest.TestCase):
    def test_a_long_file_warns_and_a_very_long_one_fails(self):
        files = {"runtime/src/a.cc": "\n" * 501, "runtime/src/b.cc": "\n" * 801, "runtime/src/c.cc": "\n" * 500}
        result = [(f.path, f.warning) for f in tidy.check_tree(files, ())]
        self.assertEqual(result, [("runtime/src/b.cc", False), ("runtime/src/a.cc", True)])

    def test_a_long_function_is_found_wherever_it_stands(self):
        body = "    x();\n" * 71
        free = "void F(int a,\n       int b) {\n" + body + "}\n"
        member = "class C {\n  C()\n      : x_(1) {\n" + body + "  }\n};\n"
        scope = "namespace n {\n" + "int y;\n" * 100 + "}  // namespace n\n"
        self.assertEqual(findings({"runtime/src/a.cc": free, "runtime/src/b.cc": member, "runtime/src/c.cc": scope}),
                         ["function length runtime/src/a.cc:1", "function length runtime/src/b.cc:2"])


class HeadersTest(unittest.TestCase):
    def test_the_guard_follows_the_path(self):
        files = {"runtime/include/quern/runtime/a.h": header("QUERN_RUNTIME_B_H_"), "runtime/src/c.h": "#pragma once\n"}
        self.assertEqual(findings(files), ["guard runtime/include/quern/runtime/a.h:1", "guard runtime/src/c.h:1"])

    def test_two_headers_with_one_guard_are_found(self):
        files = {"runtime/src/x/a.h": header("QUERN_A_H_"), "runtime/src/y/a.h": header("QUERN_A_H_")}
        self.assertEqual(findings(files), ["guard runtime/src/y/a.h:1"])

    def test_a_public_header_opens_with_a_banner(self):
        path = "runtime/include/quern/runtime/a.h"
        self.assertEqual(findings({path: header("QUERN_RUNTIME_A_H_", banner="")}), [f"banner {path}:1"])

    def test_a_header_that_nobody_includes_is_dead(self):
        files = {"runtime/src/x/a.h": header("QUERN_A_H_"), "runtime/src/x/b.h": header("QUERN_B_H_"),
                 "runtime/src/x/b.cc": '#include "x/b.h"\n'}
        self.assertEqual([str(f.path) for f in tidy.check_tree(files, ()) if f.rule == "dead header"], ["runtime/src/x/a.h"])


class PagesTest(unittest.TestCase):
    def test_a_feature_names_tests_that_exist(self):
        page = "| Capability | Tests |\n| --- | --- |\n| a | `GateTest.Closes`, `tidy.tree`, `samples.hello` |\n| b | `GateTest.Gone` |\n| c | none |\n| d | no test yet |\n"
        files = {"docs/features.md": page, "tests/runtime/gate_test.cc": "TEST_F(GateTest, Closes) {}\n",
                 "tests/tidy/CMakeLists.txt": "add_test(NAME tidy.tree COMMAND x)\n",
                 "samples/CMakeLists.txt": "add_test(\n  NAME samples.${A_NAME} COMMAND y)\n"}
        self.assertEqual(findings(files), ["proof docs/features.md:4", "proof docs/features.md:5"])

    def test_a_row_of_another_systems_names_gives_a_test_or_a_reason(self):
        page = "| Theirs | Ours | Shown by |\n| --- | --- | --- |\n| a | b | Planned |\n| c | d | Not wanted: e |\n| f | g | no test yet |\n"
        self.assertEqual(findings({"docs/goakt.md": page}), ["proof docs/goakt.md:5"])

    def test_the_first_program_of_the_readme_is_the_sample(self):
        sample = "// The smallest program.\n#include <quern/quern.h>\nint main() {}\n"
        good = "# Quern\n```cpp\n#include <quern/quern.h>\nint main() {}\n```\n"
        self.assertEqual(findings({"README.md": good, "samples/hello/hello.cc": sample}), [])
        self.assertEqual(findings({"README.md": good.replace("main", "moin"), "samples/hello/hello.cc": sample}), ["hello README.md:1"])

    def test_a_link_leads_somewhere(self):
        files = {"docs/a.md": "[x](../README.md) [y](gone.md) [z](https://example.org/q)\n", "README.md": ""}
        self.assertEqual(findings(files), ["links docs/a.md:1"])


class ExceptionsTest(unittest.TestCase):
    THREAD = {"runtime/src/a.cc": "std::thread t(f);\n"}

    def test_an_exception_excuses_one_rule_at_one_place(self):
        self.assertEqual(findings(self.THREAD, (rules.Exception_("thread", "runtime/src/a.cc", "owns the threads"),)), [])

    def test_an_exception_that_excuses_nothing_is_found(self):
        self.assertEqual(findings({}, (rules.Exception_("thread", "runtime/src/a.cc", "owns the threads"),)),
                         ["exceptions tests/tidy/rules.py:1"])

    def test_an_exception_needs_a_reason(self):
        self.assertEqual(findings(self.THREAD, (rules.Exception_("thread", "runtime/src/", ""),)),
                         ["exceptions tests/tidy/rules.py:1"])


if __name__ == "__main__":
    unittest.main()
