#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "quern/bench/process.h"
#include "quern/bench/workload.h"

namespace quern::bench {
namespace {

constexpr char kUsage[] =
    "usage: PROGRAM WORKLOAD [--size N] [--workers N] [--warm-up N] [--runs N]\n"
    "       PROGRAM --list        the workloads, with their usual size\n"
    "A line of JSON a run. Exit codes: 0, 1 something was miscounted, 2 wrong usage.\n";

struct Arguments {
  std::string workload;
  Setup setup;
  int64_t warm_ups = 1;
  int64_t runs = 1;
  bool list = false;
  bool help = false;
  std::string mistake;
};

// False: not a number of at least `least`.
bool ReadNumber(const char* text, int64_t least, int64_t* number) {
  char* end = nullptr;
  *number = std::strtoll(text, &end, 10);
  return end != text && *end == '\0' && *number >= least;
}

Arguments ReadArguments(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--list") {
      arguments.list = true;
    } else if (word == "--help" || word == "-h") {
      arguments.help = true;
    } else if (!word.starts_with("--")) {
      arguments.workload = word;
    } else {
      int64_t workers = arguments.setup.workers;
      int64_t* number = word == "--size"      ? &arguments.setup.size
                        : word == "--workers" ? &workers
                        : word == "--warm-up" ? &arguments.warm_ups
                        : word == "--runs"    ? &arguments.runs
                                              : nullptr;
      const int64_t least = word == "--warm-up" ? 0 : 1;
      if (number == nullptr || ++i == argc || !ReadNumber(argv[i], least, number)) {
        arguments.mistake = std::string(word) + ": no such option, or not its number";
        return arguments;
      }
      arguments.setup.workers = static_cast<int>(workers);
    }
  }
  return arguments;
}

void Print(const char* system, const Workload& workload, const Setup& setup,
           const Outcome& outcome) {
  std::printf("{\"system\":\"%s\",\"workload\":\"%s\",\"workers\":%d,\"size\":%lld,", system,
              workload.name, setup.workers, static_cast<long long>(setup.size));
  std::printf("\"messages\":%lld,\"seconds\":%.9f,\"cpu_seconds\":%.9f,\"rss_bytes\":%lld,",
              static_cast<long long>(outcome.messages), outcome.took.seconds,
              outcome.took.cpu_seconds, static_cast<long long>(ResidentBytesMax()));
  for (const auto& [name, value] : outcome.figures) std::printf("\"%s\":%g,", name.c_str(), value);
  if (!outcome.wrong.empty()) std::printf("\"wrong\":\"%s\",", outcome.wrong.c_str());
  std::printf("\"ok\":%s}\n", outcome.wrong.empty() ? "true" : "false");
  std::fflush(stdout);
}

bool RunOne(const char* system, const Workload& workload, const Arguments& arguments) {
  Setup setup = arguments.setup;
  if (setup.size == 0) setup.size = workload.size;
  Setup tenth = setup;
  tenth.size = std::max<int64_t>(1, setup.size / 10);
  if (workload.warm_up) {
    for (int64_t i = 0; i < arguments.warm_ups; ++i) workload.run(tenth);
  }
  bool right = true;
  for (int64_t i = 0; i < arguments.runs; ++i) {
    const Outcome outcome = workload.run(setup);
    right = right && outcome.wrong.empty();
    Print(system, workload, setup, outcome);
  }
  return right;
}

}  // namespace

void Outcome::Check(const char* what, double found, double wanted) {
  if (found == wanted || !wrong.empty()) return;
  char text[200];
  std::snprintf(text, sizeof text, "%s: %.17g, should be %.17g", what, found, wanted);
  wrong = text;
}

int RunProgram(int argc, char** argv, const char* system, const std::vector<Workload>& workloads) {
  const Arguments arguments = ReadArguments(argc, argv);
  if (arguments.help) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  if (arguments.list) {
    for (const Workload& workload : workloads) {
      std::printf("%s %lld\n", workload.name, static_cast<long long>(workload.size));
    }
    return 0;
  }
  if (!arguments.mistake.empty()) {
    std::fprintf(stderr, "%s\n%s", arguments.mistake.c_str(), kUsage);
    return 2;
  }
  for (const Workload& workload : workloads) {
    if (arguments.workload == workload.name) return RunOne(system, workload, arguments) ? 0 : 1;
  }
  std::fprintf(stderr, "no workload \"%s\": --list names them\n", arguments.workload.c_str());
  return 2;
}

}  // namespace quern::bench
