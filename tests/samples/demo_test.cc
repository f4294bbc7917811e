// The demo as its users run it: every process, nats-server and socket is real.

#include <gmock/gmock.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>

#include "demo_run.h"
#include "flights/flight_csv.h"
#include "flights/options.h"
#include "temp_file.h"

namespace flights {
namespace {

using ::google::protobuf::Struct;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::SizeIs;

const std::vector<std::string> kShort = {"demo", "--rows", "20000"};

std::vector<std::string> Short(std::vector<std::string> more) {
  more.insert(more.begin(), kShort.begin(), kShort.end());
  return more;
}

std::vector<std::string> FilesIn(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    names.push_back(entry.path().filename());
  }
  return names;
}

Struct ParseJson(const std::string& json) {
  Struct document;
  EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(json, &document).ok()) << json;
  return document;
}

TEST(DemoTest, EveryNumberIsExactAlthoughANodeIsKilled) {
  DemoRun run(kShort);

  EXPECT_EQ(run.Wait(), kExitOk) << run.output() << run.errors();

  EXPECT_THAT(run.output(),
              AllOf(HasSubstr("20,000 flights, 223 airports"), HasSubstr("(SIGKILL)"),
                    ContainsRegex("[1-9][0-9]* grains moved   (first answer of one of them "
                                  "after|none of them had work left)"),
                    HasSubstr("all 223 airports agree with the file in every field   OK\n")));
  EXPECT_THAT(FilesIn(run.folder()), IsEmpty());
}

// Long enough that a grain of any node still has work when that node is killed.
TEST(DemoTest, TheJsonDocumentHoldsTheResult) {
  DemoRun run({"demo", "--rows", "200000", "--json"});

  EXPECT_EQ(run.Wait(), kExitOk) << run.output() << run.errors();

  Struct document = ParseJson(run.output());
  auto& fields = *document.mutable_fields();
  EXPECT_THAT(fields["airports"].struct_value().fields(), SizeIs(223));
  EXPECT_THAT(fields["killed"].string_value(), MatchesRegex("us-(west|east)/node-[12]"));
  EXPECT_GT(fields["grains_moved"].number_value(), 0);
  EXPECT_GT(fields["first_answer_ms"].number_value(), 0);
  EXPECT_GT(fields["flights_per_s"].number_value(), 0);
  EXPECT_GT(fields["p99_ms"].number_value(), 0);
  EXPECT_NEAR(fields["cross_dc_share"].number_value(), 0.24, 0.01);
  EXPECT_TRUE(fields["verified"].bool_value());
}

TEST(DemoTest, WithoutAKillNothingMoves) {
  DemoRun run(Short({"--no-kill", "--json"}));

  EXPECT_EQ(run.Wait(), kExitOk) << run.output() << run.errors();

  Struct document = ParseJson(run.output());
  EXPECT_TRUE((*document.mutable_fields())["killed"].has_null_value());
  EXPECT_EQ((*document.mutable_fields())["grains_moved"].number_value(), 0);
  EXPECT_TRUE((*document.mutable_fields())["first_answer_ms"].has_null_value());
}

// Spawning chooses where the readers live, so the node to be stopped is found by trying.
TEST(DemoTest, LateWritesOfAStoppedNodeAreRefused) {
  for (const NodeName& name : NodeNames(2)) {
    DemoRun run(Short({"--pause", name.ToString()}));
    const int code = run.Wait();
    if (code == kExitUsage) {
      EXPECT_THAT(run.errors(), HasSubstr(name.ToString() + ": a reader lives there"));
      continue;
    }
    EXPECT_EQ(code, kExitOk) << run.output() << run.errors();
    EXPECT_THAT(run.output(),
                AllOf(HasSubstr("stop " + name.ToString() + " (SIGSTOP)"),
                      HasSubstr("wake " + name.ToString() + " (SIGCONT)"),
                      ContainsRegex("[1-9][0-9]* late writes refused"),
                      HasSubstr("all 223 airports agree with the file in every field   OK\n")));
    return;
  }
  FAIL() << "every node held a reader";
}

TEST(DemoTest, AReadersNodeIsNotKilled) {
  DemoRun run(Short({"--nodes", "1", "--kill", "us-west/node-1"}));

  EXPECT_EQ(run.Wait(), kExitUsage) << run.output();

  EXPECT_THAT(run.errors(),
              HasSubstr("--kill us-west/node-1: a reader lives there, and readers are "
                        "not restarted; choose a node without one (--nodes 2"));
  EXPECT_THAT(FilesIn(run.folder()), IsEmpty());
}

TEST(DemoTest, WhenEveryNodeHoldsAReaderNothingIsKilled) {
  DemoRun run(Short({"--nodes", "1"}));

  EXPECT_EQ(run.Wait(), kExitOk) << run.output() << run.errors();

  EXPECT_THAT(run.output(), AllOf(HasSubstr("nothing to kill: every node holds a reader"),
                                  HasSubstr("agree with the file in every field   OK\n")));
}

TEST(DemoTest, ANatsServerThatDiesIsRestartedAndEveryNumberStaysExact) {
  DemoRun run({"demo", "--no-kill"});
  ASSERT_TRUE(run.ReadUntil("readers"));
  const pid_t server = run.Child("nats-us-east");
  ASSERT_NE(server, 0);

  ::kill(server, SIGKILL);

  EXPECT_EQ(run.Wait(), kExitOk) << run.output() << run.errors();
  EXPECT_THAT(run.output(), AllOf(HasSubstr("the nats-server of us-east serves again on its data"),
                                  HasSubstr("agree with the file in every field   OK\n")));
}

// Another month, one that no file of the repository holds: January shifted, thinned out and
// shuffled among the airports.
TEST(DemoTest, AnotherMonthWorksUnchanged) {
  std::string text(kFlightsHeader);
  auto csv = FlightCsv::Open(kJanuary, {.row_limit = 40'000});
  for (;;) {
    auto flight = (*csv)->Next();
    if (!flight->has_value()) break;
    if ((*flight)->row % 3 == 0) continue;
    const uint32_t hour = ((*flight)->hour * 7 + 5) % 24;
    text += "2002-02-11T" + std::string(hour < 10 ? "0" : "") + std::to_string(hour) + ":59Z," +
            std::to_string((*flight)->delay_minutes * 3 - 40) + ",1," + (*flight)->destination +
            "," + ((*flight)->row % 2 == 0 ? (*flight)->origin : (*flight)->destination) + "\n";
    if ((*flight)->row % 5000 == 1) text += "not a flight\n";
  }
  TempFile month("flights-2002-02.csv", text);
  DemoRun run({"demo", "--data", month.path()});

  EXPECT_EQ(run.Wait(), kExitOk) << run.output() << run.errors();

  EXPECT_THAT(run.output(), HasSubstr("agree with the file in every field   OK\n"));
  EXPECT_THAT(run.errors(), HasSubstr("malformed rows left out\n  line "));
}

TEST(DemoTest, CtrlCEndsEveryChildAndLeavesNothing) {
  DemoRun run({"demo"});
  ASSERT_TRUE(run.ReadUntil("nodes"));
  const std::set<pid_t> children = run.Children();
  EXPECT_THAT(children, SizeIs(7));  // 3 nats-servers, 4 nodes

  ::kill(run.pid(), SIGINT);

  EXPECT_EQ(run.Wait(), kExitInterrupted) << run.output() << run.errors();
  WaitUntilGone(children);
  EXPECT_THAT(FilesIn(run.folder()), IsEmpty());
}

TEST(DemoTest, AKilledLauncherLeavesNoChild) {
  DemoRun run({"demo"});
  ASSERT_TRUE(run.ReadUntil("nodes"));
  const std::set<pid_t> children = run.Children();
  EXPECT_THAT(children, SizeIs(7));

  ::kill(run.pid(), SIGKILL);

  EXPECT_EQ(run.Wait(), -SIGKILL);
  WaitUntilGone(children);
}

TEST(DemoTest, BadInputIsOneLineWithTheFixAndLeavesNoChild) {
  TempFile unknown("flights.csv", std::string(kFlightsHeader) + "2001-01-01T00:01Z,1,2,LAX,XQZ\n");
  TempFile malformed("flights.csv", std::string(kFlightsHeader) + "nonsense\n");
  TempFile truncated("flights.csv.zst", std::string("\x28\xB5\x2F\xFD", 4));
  struct Case {
    std::vector<std::string> arguments;
    int code;
    std::string says;
  };
  const Case cases[] = {
      {{"demo", "--noodes", "3"}, kExitUsage, "Did you mean \"--nodes\"?"},
      {{"demo", "--nodes", "9"}, kExitUsage, "--nodes"},
      {{"demo", "--data", "no/such/file"}, kExitFailure, "--data"},
      {{"demo", "--airports", "no/such/file"}, kExitFailure, "--airports"},
      {{"demo", "--data", truncated.path()}, kExitFailure, "zstd -t"},
      {{"demo", "--data", unknown.path()}, kExitFailure, "unknown airport \"XQZ\""},
      {{"demo", "--data", malformed.path(), "--strict"}, kExitFailure, ":2: 1 field instead of 5"},
  };
  for (const Case& c : cases) {
    DemoRun run(c.arguments);
    EXPECT_EQ(run.Wait(), c.code) << run.errors();
    EXPECT_THAT(run.errors(), AllOf(HasSubstr(c.says), MatchesRegex("flights: [^\n]*\n")));
    EXPECT_THAT(FilesIn(run.folder()), IsEmpty());
  }
}

}  // namespace
}  // namespace flights
