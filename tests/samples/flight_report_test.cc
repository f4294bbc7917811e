#include "flights/report.h"

#include <gmock/gmock.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include "flights/progress_meter.h"

namespace flights {
namespace {

using namespace std::chrono_literals;
using ::google::protobuf::Struct;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

DemoResult SmallResult() {
  DemoResult result;
  v1::Totals& ord = result.airports["ORD"];
  ord.mutable_totals()->set_departures(27'000);
  ord.mutable_totals()->set_arrivals(28'000);
  ord.mutable_totals()->set_delay_sum(-56'000);
  ord.mutable_totals()->set_on_time(21'000);
  ord.mutable_totals()->mutable_histogram()->Resize(18, 4);
  ord.mutable_totals()->mutable_departures_by_hour()->Resize(24, 1);
  ord.set_busiest_hour(7);
  ord.set_node("us-east/node-1");
  result.airports["LAX"];
  result.killed = "us-east/node-2";
  result.grains_moved = 71;
  result.first_answer_ms = 1312.34;
  result.flights_per_s = 48'000.4;
  result.p99_ms = 8.25;
  result.cross_dc_share = 0.235295;
  result.batches_resent = 60;
  result.flights = 508'239;
  result.seconds = 10.6;
  return result;
}

std::vector<std::string> Keys(const Struct& object) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.fields()) keys.push_back(key);
  std::sort(keys.begin(), keys.end());
  return keys;
}

Struct Parse(const std::string& json) {
  Struct parsed;
  const auto status = google::protobuf::util::JsonStringToMessage(json, &parsed);
  EXPECT_TRUE(status.ok()) << status << "\n" << json;
  return parsed;
}

TEST(JsonReportTest, HasEveryFieldAndNoOther) {
  const std::string json = JsonReport(SmallResult());
  Struct document = Parse(json);

  EXPECT_EQ(json.find('\n'), json.size() - 1);
  EXPECT_THAT(Keys(document),
              ElementsAre("airports", "cross_dc_share", "first_answer_ms", "flights_per_s",
                          "grains_moved", "killed", "p99_ms", "refused_writes", "verified"));
  auto& fields = *document.mutable_fields();
  EXPECT_EQ(fields["killed"].string_value(), "us-east/node-2");
  EXPECT_EQ(fields["grains_moved"].number_value(), 71);
  EXPECT_EQ(fields["first_answer_ms"].number_value(), 1312.3);
  EXPECT_EQ(fields["flights_per_s"].number_value(), 48'000);
  EXPECT_EQ(fields["p99_ms"].number_value(), 8.25);
  EXPECT_EQ(fields["cross_dc_share"].number_value(), 0.235295);
  EXPECT_TRUE(fields["verified"].bool_value());
  Struct ord = fields["airports"].struct_value().fields().at("ORD").struct_value();
  EXPECT_THAT(Keys(ord), ElementsAre("arrivals", "busiest_hour", "delay_sum", "departures",
                                     "histogram", "on_time"));
  EXPECT_EQ((*ord.mutable_fields())["delay_sum"].number_value(), -56'000);
  EXPECT_EQ((*ord.mutable_fields())["histogram"].list_value().values_size(), 18);
}

TEST(JsonReportTest, WhatDidNotHappenIsNull) {
  DemoResult result = SmallResult();
  result.killed.reset();
  result.first_answer_ms.reset();
  result.differences = {"ORD departures: .."};
  Struct document = Parse(JsonReport(result));

  auto& fields = *document.mutable_fields();
  EXPECT_TRUE(fields["killed"].has_null_value());
  EXPECT_TRUE(fields["first_answer_ms"].has_null_value());
  EXPECT_FALSE(fields["verified"].bool_value());
}

TEST(TextReportTest, SaysWhatMovedAndThatAllIsExact) {
  const std::string text = TextReport(SmallResult());

  EXPECT_THAT(text, HasSubstr("killed us-east/node-2   71 grains moved   first answer of one of "
                              "them after 1.31 s   60 batches resent\n"));
  EXPECT_THAT(text, HasSubstr("508,239 flights in 10.6 s   48,000/s"));
  EXPECT_THAT(text, HasSubstr("23.5 % of flights"));
  EXPECT_THAT(
      text,
      HasSubstr(
          "ORD          27,000    28,000    -2.0 min   75.0 %         07:00  us-east/node-1\n"));
  EXPECT_THAT(text, HasSubstr("all 2 airports agree with the file in every field   OK\n"));
}

TEST(TextReportTest, ShowsTheFirstDifferences) {
  DemoResult result = SmallResult();
  for (int i = 0; i < 50; ++i) result.differences.push_back("field " + std::to_string(i));

  const std::string text = TextReport(result);

  EXPECT_THAT(text, HasSubstr("  field 9\n"));
  EXPECT_THAT(text, Not(HasSubstr("field 10")));
  EXPECT_THAT(text, HasSubstr("50 differences from the file   WRONG\n"));
}

TEST(ProgressMeterTest, WithoutATerminalItIsALineEveryTenth) {
  ProgressMeter meter(false, quern::Time());
  std::string text;
  for (uint64_t done = 0; done <= 1000; ++done) {
    text += meter.Show({.done = done, .total = 1000, .flights_per_s = 25'000}, quern::Time());
  }

  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 10);
  EXPECT_THAT(text, StartsWith("10 %   25,000 flights/s   p99 0.0 ms\n20 %"));
  EXPECT_EQ(meter.Interrupt(), "");
}

TEST(ProgressMeterTest, OnATerminalTheBarComesAfterASecondAndIsRedrawnAtMostTenTimesASecond) {
  const quern::Time start;
  ProgressMeter meter(true, start);
  const Measured half = {.done = 50, .total = 100, .flights_per_s = 25'000, .p99_ms = 3.21};

  EXPECT_EQ(meter.Show(half, start + 999ms), "");
  EXPECT_EQ(meter.Show(half, start + 1s),
            "\r\033[K[============            ]  50 %   25,000 flights/s   p99 3.2 ms");
  EXPECT_EQ(meter.Show(half, start + 1050ms), "");
  EXPECT_NE(meter.Show(half, start + 1100ms), "");
  EXPECT_EQ(meter.Interrupt(), "\r\033[K");
}

}  // namespace
}  // namespace flights
