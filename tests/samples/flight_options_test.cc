#include "flights/options.h"

#include <gmock/gmock.h>

namespace flights {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Optional;
using ::testing::StartsWith;

Command Parse(std::vector<std::string> arguments) {
  return ParseCommandLine(std::move(arguments), "data");
}

StopHere Stop(std::vector<std::string> arguments) {
  const Command command = Parse(std::move(arguments));
  const auto* stop = std::get_if<StopHere>(&command);
  return stop != nullptr ? *stop : StopHere{-1, "it was accepted"};
}

TEST(FlightsOptionsTest, NothingSaidMeansJanuaryOnTwoNodesEach) {
  const auto options = std::get<DemoOptions>(Parse({"demo"}));

  EXPECT_EQ(options.data_path, "data/flights-2001-01.csv.zst");
  EXPECT_EQ(options.airports_path, "data/airports.csv");
  EXPECT_EQ(options.nodes, 2);
  EXPECT_EQ(options.border_west, 95);
  EXPECT_EQ(options.row_limit, 0u);
  EXPECT_FALSE(options.json || options.strict || options.no_kill || options.kill || options.pause);
}

TEST(FlightsOptionsTest, EveryOptionArrives) {
  const auto options = std::get<DemoOptions>(
      Parse({"demo", "--data", "d.csv", "--airports=a.csv", "--nodes", "8", "--border", "100.5",
             "--rows", "20000", "--strict", "--json", "--kill", "us-west/node-8"}));
  const auto paused = std::get<DemoOptions>(Parse({"demo", "--pause", "us-east/node-1"}));

  EXPECT_EQ(options.data_path, "d.csv");
  EXPECT_EQ(options.airports_path, "a.csv");
  EXPECT_EQ(options.nodes, 8);
  EXPECT_EQ(options.border_west, 100.5);
  EXPECT_EQ(options.row_limit, 20'000u);
  EXPECT_TRUE(options.strict && options.json);
  EXPECT_THAT(options.kill, Optional(NodeName{"us-west", "node-8"}));
  EXPECT_THAT(paused.pause, Optional(NodeName{"us-east", "node-1"}));
}

TEST(FlightsOptionsTest, WrongUsageIsOneLineWithTheFixAndCode2) {
  struct Case {
    std::vector<std::string> arguments;
    std::string says;
  };
  const Case cases[] = {
      {{}, "flights demo"},
      {{"dmeo"}, "unknown command \"dmeo\". Did you mean \"demo\"?"},
      {{"demo", "--noodes", "3"}, "unknown option \"--noodes\". Did you mean \"--nodes\"?"},
      {{"demo", "--borderr=3"}, "unknown option \"--borderr\". Did you mean \"--border\"?"},
      {{"demo", "--zzzzzzzz"}, "unknown option \"--zzzzzzzz\".  See"},
      {{"demo", "extra"}, "unexpected argument \"extra\""},
      {{"demo", "--nodes", "9"}, "--nodes"},
      {{"demo", "--nodes", "0"}, "--nodes"},
      {{"demo", "--nodes", "two"}, "--nodes"},
      {{"demo", "--nodes"}, "--nodes"},
      {{"demo", "--rows", "-1"}, "\"-1\" is not a number of rows"},
      {{"demo", "--border", "west"}, "--border"},
      {{"demo", "--kill", "us-west/node-3"}, "us-west/node-1 to us-east/node-2"},
      {{"demo", "--kill", "node-1"}, "no such node"},
      {{"demo", "--pause", "us-north/node-1"}, "no such node"},
      {{"demo", "--kill", "us-west/node-1", "--no-kill"}, "--no-kill"},
      {{"demo", "--kill", "us-west/node-1", "--pause", "us-west/node-2"}, "--pause"},
      {{"demo", "--no-kill", "--pause", "us-west/node-2"}, "--pause"},
  };
  for (const Case& c : cases) {
    const StopHere stop = Stop(c.arguments);
    EXPECT_EQ(stop.code, kExitUsage) << stop.text;
    EXPECT_THAT(stop.text, AllOf(StartsWith("flights: "), HasSubstr(c.says),
                                 HasSubstr("See: flights demo --help")));
    EXPECT_THAT(stop.text, MatchesRegex("[^\n]*\n")) << "one line";
  }
}

TEST(FlightsOptionsTest, HelpSaysWhatItIsThenUsageThenThreeExamplesThenOptions) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"demo", "--help"}, {"--help"}, {"help"}}) {
    const StopHere stop = Stop(arguments);
    EXPECT_EQ(stop.code, kExitOk);
    EXPECT_THAT(stop.text, StartsWith("Two datacenters on one machine"));
    size_t at = 0;
    for (const std::string part :
         {"Usage: flights demo", "Examples", "Input", "--data", "--rows", "Datacenters", "--nodes",
          "--border", "Failure", "--kill", "--no-kill", "--pause", "Output", "--json", "--help"}) {
      const size_t found = stop.text.find(part, at);
      EXPECT_NE(found, std::string::npos) << part << " in\n" << stop.text;
      if (found != std::string::npos) at = found;
    }
  }
}

TEST(FlightsOptionsTest, ANodesOptionsSurviveItsCommandLine) {
  const NodeProcessOptions options = {.name = {"us-west", "node-2"},
                                      .nats_url = "nats://127.0.0.1:1",
                                      .global_nats_url = "nats://127.0.0.1:2",
                                      .airports_path = "a path",
                                      .border_west = 95.25,
                                      .lease_divisor = 10,
                                      .control_fd = 7};

  const auto parsed = std::get<NodeProcessOptions>(Parse(ToArguments(options)));

  EXPECT_EQ(ToArguments(parsed), ToArguments(options));
}

TEST(DidYouMeanTest, OnlyWhatIsClose) {
  EXPECT_THAT(DidYouMean("--jsno", {"--data", "--json"}), Optional(std::string("--json")));
  EXPECT_EQ(DidYouMean("--frobnicate", {"--data", "--json"}), std::nullopt);
}

}  // namespace
}  // namespace flights
