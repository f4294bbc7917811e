#include "flights/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>

#include "flights/airports.h"
#include "flights/limits.h"

namespace flights {
namespace {

constexpr char kDemoHelp[] =
    R"(Two datacenters on one machine: counts real flights per airport, kills a node on the way, checks every number.

Usage: flights demo [options]

Examples
  flights demo                                  all of January 2001, kills the node with most grains half way
  flights demo --rows 20000 --json              a short run, the result as one JSON document
  flights demo --pause us-east/node-2           stops a node instead and wakes it up too late: its writes are refused
)";

// One sentence, usage and examples first, then CLI11's list of options in our words.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_usage(const CLI::App*, std::string) const override { return kDemoHelp; }
  std::string make_description(const CLI::App*) const override { return ""; }

  std::string make_option_opts(const CLI::Option* option) const override {
    const std::string type = option->get_type_name();
    return type.empty() ? "" : " " + type;
  }

  std::string make_option_desc(const CLI::Option* option) const override {
    const std::string value = option->get_default_str();
    const std::string shown = value.substr(value.rfind('/') + 1);  // of a path the last part
    return option->get_description() + (shown.empty() ? "" : " (default " + shown + ")");
  }
};

StopHere Usage(const std::string& what) {
  return {kExitUsage, "flights: " + what + "  See: flights demo --help\n"};
}

// A whole number of 0 or more; CLI11 itself takes "-1" for a very large one.
CLI::Validator Count() {
  return CLI::Validator(
      [](std::string& text) {
        const bool ok = !text.empty() && text.size() <= 18 &&
                        text.find_first_not_of("0123456789") == std::string::npos;
        return ok ? std::string() : "\"" + text + "\" is not a number of rows";
      },
      "");
}

void AddDemoOptions(CLI::App* app, DemoOptions* options, std::string* kill, std::string* pause) {
  app->add_option("--data", options->data_path, "flights file, .csv or .csv.zst")
      ->type_name("FILE")
      ->capture_default_str()
      ->group("Input");
  app->add_option("--airports", options->airports_path, "where the airports are")
      ->type_name("FILE")
      ->capture_default_str()
      ->group("Input");
  app->add_option("--rows", options->row_limit, "only the first N rows, 0 for all")
      ->check(Count())
      ->type_name("N")
      ->capture_default_str()
      ->group("Input");
  app->add_flag("--strict", options->strict, "stop at the first malformed row")->group("Input");

  app->add_option("--nodes", options->nodes, "node processes in each datacenter, 1 to 8")
      ->check(CLI::Range(1, kNodesPerDatacenterMax).description(""))
      ->type_name("N")
      ->capture_default_str()
      ->group("Datacenters");
  app->add_option("--border", options->border_west,
                  "airports further west live in us-west, degrees")
      ->check(CLI::Range(-180.0, 180.0).description(""))
      ->type_name("DEG")
      ->capture_default_str()
      ->group("Datacenters");

  auto* kill_option =
      app->add_option("--kill", *kill,
                      "the node to kill half way (default: the one with most grains)")
          ->type_name("DC/NODE")
          ->group("Failure");
  auto* no_kill = app->add_flag("--no-kill", options->no_kill, "kill nothing")->group("Failure");
  auto* pause_option = app->add_option("--pause", *pause,
                                       "stop this node instead, wake it once its grains have moved")
                           ->type_name("DC/NODE")
                           ->group("Failure");
  kill_option->excludes(no_kill)->excludes(pause_option);
  no_kill->excludes(pause_option);

  app->add_flag("--json", options->json, "the result as JSON on standard output")->group("Output");
  app->add_flag("--keep", options->keep, "keep the folder of the run: logs, control planes' data")
      ->group("Output");
  app->set_help_flag("--help,-h", "this text")->group("Output");
}

std::vector<std::string> OptionNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) names.push_back(option->get_name());
  return names;
}

std::optional<StopHere> SetNode(const std::string& option, const std::string& text, int nodes,
                                std::optional<NodeName>* name) {
  if (text.empty()) return std::nullopt;
  *name = ParseNodeName(text);
  const std::vector<NodeName> there = NodeNames(nodes);
  if (name->has_value() && std::find(there.begin(), there.end(), **name) != there.end()) {
    return std::nullopt;
  }
  return Usage(option + " " + text + ": no such node; with --nodes " + std::to_string(nodes) +
               " they are " + there.front().ToString() + " to " + there.back().ToString() + ".");
}

// Runs CLI11, which throws, and turns what it throws into text.
std::optional<StopHere> Parse(CLI::App* app, std::vector<std::string> arguments) {
  std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them last first
  try {
    app->parse(std::move(arguments));
  } catch (const CLI::CallForHelp&) {
    return StopHere{kExitOk, app->help()};
  } catch (const CLI::ParseError& error) {
    return Usage(std::string(error.what()) + ".");
  }
  const std::vector<std::string> unknown = app->remaining();
  if (unknown.empty()) return std::nullopt;
  const std::string word = unknown.front().substr(0, unknown.front().find('='));
  if (!word.starts_with('-')) return Usage("unexpected argument \"" + word + "\".");
  const auto meant = DidYouMean(word, OptionNames(*app));
  return Usage("unknown option \"" + word + "\"." +
               (meant ? " Did you mean \"" + *meant + "\"?" : ""));
}

Command ParseDemo(std::vector<std::string> arguments, const std::string& data_folder) {
  DemoOptions options;
  options.data_path = data_folder + "/flights-2001-01.csv.zst";
  options.airports_path = data_folder + "/airports.csv";
  std::string kill, pause;
  CLI::App app;
  app.formatter(std::make_shared<HelpFormatter>());
  app.allow_extras();
  AddDemoOptions(&app, &options, &kill, &pause);
  if (auto stop = Parse(&app, std::move(arguments))) return *stop;
  if (auto stop = SetNode("--kill", kill, options.nodes, &options.kill)) return *stop;
  if (auto stop = SetNode("--pause", pause, options.nodes, &options.pause)) return *stop;
  return options;
}

Command ParseNode(std::vector<std::string> arguments) {
  NodeProcessOptions options;
  std::string name;
  CLI::App app;
  app.add_option("--name", name)->required();
  app.add_option("--nats", options.nats_url)->required();
  app.add_option("--global-nats", options.global_nats_url)->required();
  app.add_option("--airports", options.airports_path)->required();
  app.add_option("--border", options.border_west)->required();
  app.add_option("--lease-divisor", options.lease_divisor)->check(CLI::Range(1, 100));
  app.add_option("--control-fd", options.control_fd)->required();
  if (auto stop = Parse(&app, std::move(arguments))) return *stop;
  const auto parsed = ParseNodeName(name);
  if (!parsed) return Usage("--name " + name + ": not DC/NODE.");
  options.name = *parsed;
  return options;
}

}  // namespace

std::optional<NodeName> ParseNodeName(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos || slash == 0 || slash + 1 == text.size())
    return std::nullopt;
  return NodeName{std::string(text.substr(0, slash)), std::string(text.substr(slash + 1))};
}

std::vector<NodeName> NodeNames(int nodes) {
  std::vector<NodeName> names;
  for (const std::string_view datacenter : {kWest, kEast}) {
    for (int i = 1; i <= nodes; ++i) {
      names.push_back({std::string(datacenter), "node-" + std::to_string(i)});
    }
  }
  return names;
}

Command ParseCommandLine(std::vector<std::string> arguments, const std::string& data_folder) {
  if (arguments.empty()) return Usage("say what to do: flights demo.");
  const std::string command = arguments.front();
  arguments.erase(arguments.begin());
  if (command == "demo") return ParseDemo(std::move(arguments), data_folder);
  if (command == "node") return ParseNode(std::move(arguments));
  if (command == "--help" || command == "-h" || command == "help") {
    return ParseDemo({"--help"}, data_folder);
  }
  const auto meant = DidYouMean(command, {"demo", "help"});
  return Usage("unknown command \"" + command + "\"." +
               (meant ? " Did you mean \"" + *meant + "\"?" : ""));
}

std::vector<std::string> ToArguments(const NodeProcessOptions& options) {
  return {"node",
          "--name=" + options.name.ToString(),
          "--nats=" + options.nats_url,
          "--global-nats=" + options.global_nats_url,
          "--airports=" + options.airports_path,
          "--border=" + std::to_string(options.border_west),
          "--lease-divisor=" + std::to_string(options.lease_divisor),
          "--control-fd=" + std::to_string(options.control_fd)};
}

std::optional<std::string> DidYouMean(std::string_view word,
                                      const std::vector<std::string>& candidates) {
  // Edits are insertions, deletions, replacements and swaps of neighbours (Damerau's, in the
  // restricted form called optimal string alignment).
  const auto distance = [&](std::string_view other) {
    std::vector<std::vector<size_t>> d(word.size() + 1, std::vector<size_t>(other.size() + 1));
    for (size_t i = 0; i <= word.size(); ++i) {
      for (size_t j = 0; j <= other.size(); ++j) {
        if (i == 0 || j == 0) {
          d[i][j] = i + j;
          continue;
        }
        const size_t replaced = d[i - 1][j - 1] + (word[i - 1] == other[j - 1] ? 0 : 1);
        d[i][j] = std::min({replaced, d[i - 1][j] + 1, d[i][j - 1] + 1});
        const bool swapped =
            i > 1 && j > 1 && word[i - 1] == other[j - 2] && word[i - 2] == other[j - 1];
        if (swapped) d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
      }
    }
    return d[word.size()][other.size()];
  };
  std::optional<std::string> best;
  size_t best_distance = std::max<size_t>(word.size() / 3, 1) + 1;
  for (const std::string& candidate : candidates) {
    if (const size_t d = distance(candidate); d < best_distance) {
      best_distance = d;
      best = candidate;
    }
  }
  return best;
}

}  // namespace flights
