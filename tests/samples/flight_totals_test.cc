#include "flights/totals.h"

#include <gmock/gmock.h>

#include <set>
#include <vector>

#include "flights/batcher.h"
#include "flights/latency_histogram.h"
#include "flights/limits.h"

namespace flights {
namespace {

Flight MakeFlight(uint64_t row, std::string origin, std::string destination) {
  return {.row = row, .hour = 7, .delay_minutes = 20, .origin = origin, .destination = destination};
}

v1::Batch TwoEvents() {
  v1::Batch batch;
  batch.set_reader("odd");
  batch.set_first_row(1);
  batch.set_last_row(9);
  for (const uint64_t row : {3, 9}) batch.add_rows(row);
  batch.add_kinds(5);
  batch.add_kinds(kArrivalKind);
  batch.add_delays(-61);
  return batch;
}

TEST(ApplyBatchTest, CountsDeparturesAndArrivals) {
  v1::AirportTotals totals;

  EXPECT_EQ(ApplyBatch(TwoEvents(), 0, &totals).value(), 2u);

  EXPECT_EQ(totals.departures(), 1u);
  EXPECT_EQ(totals.departures_by_hour(5), 1u);
  EXPECT_EQ(totals.arrivals(), 1u);
  EXPECT_EQ(totals.delay_sum(), -61);
  EXPECT_EQ(totals.on_time(), 1u);
  EXPECT_EQ(totals.histogram(0), 1u);
}

TEST(ApplyBatchTest, SkipsWhatWasAppliedBefore) {
  v1::AirportTotals totals;

  EXPECT_EQ(ApplyBatch(TwoEvents(), 3, &totals).value(), 1u);
  EXPECT_EQ(ApplyBatch(TwoEvents(), 9, &totals).value(), 0u);

  EXPECT_EQ(totals.departures(), 0u);
  EXPECT_EQ(totals.arrivals(), 1u);
}

TEST(ApplyBatchTest, RefusesAHoleBetweenBatches) {
  v1::Batch batch = TwoEvents();
  batch.set_first_row(3);
  v1::AirportTotals totals;

  EXPECT_EQ(ApplyBatch(batch, 1, &totals).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(totals.SerializeAsString(), "");
}

TEST(ApplyBatchTest, RefusesColumnsThatDoNotFit) {
  std::vector<v1::Batch> wrong(6, TwoEvents());
  wrong[0].clear_reader();
  wrong[1].add_rows(9);
  wrong[2].add_delays(1);
  wrong[3].set_kinds(0, kArrivalKind + 1);
  wrong[4].set_rows(0, 10);
  wrong[5].set_last_row(8);

  for (const v1::Batch& batch : wrong) {
    v1::AirportTotals totals;
    EXPECT_EQ(ApplyBatch(batch, 0, &totals).status().code(), absl::StatusCode::kInvalidArgument)
        << batch.DebugString();
    EXPECT_EQ(totals.SerializeAsString(), "");
  }
}

TEST(HistogramBinTest, BinsAreFifteenMinutesWithTwoOpenEnds) {
  const std::vector<std::pair<int32_t, int>> expected = {
      {-1000, 0}, {-61, 0}, {-60, 1}, {-46, 1},  {-45, 2},  {-1, 4},
      {0, 5},     {14, 5},  {15, 6},  {179, 16}, {180, 17}, {1688, 17}};
  for (const auto& [delay, bin] : expected) EXPECT_EQ(HistogramBin(delay), bin) << delay;
}

TEST(BusiestHourTest, IsTheLowestOnATie) {
  v1::AirportTotals totals;
  EXPECT_EQ(BusiestHour(totals), 0u);
  totals.mutable_departures_by_hour()->Resize(24, 3);
  totals.set_departures_by_hour(17, 8);
  totals.set_departures_by_hour(9, 8);
  EXPECT_EQ(BusiestHour(totals), 9u);
}

TEST(BatcherTest, CoversEveryRowWithoutHolesAndNeverSplitsOne) {
  std::map<std::string, std::vector<v1::Batch>> batches;
  Batcher batcher("odd", [&](const std::string& airport, v1::Batch batch) {
    batches[airport].push_back(std::move(batch));
  });

  // Three events a pair of rows: a round trip every second row would straddle the 256th event.
  for (uint64_t row = 1; row <= 999; row += 2) {
    batcher.Add(MakeFlight(row, "ORD", row % 4 == 1 ? "ORD" : "LAX"));
  }
  batcher.Finish();

  uint64_t last = 0;
  int events = 0;
  for (const v1::Batch& batch : batches["ORD"]) {
    EXPECT_EQ(batch.first_row(), last + 1);
    EXPECT_LE(batch.rows_size(), kBatchEventsMax);
    EXPECT_GT(batch.rows(0), last);
    last = batch.last_row();
    EXPECT_EQ(batch.rows(batch.rows_size() - 1), last);
    events += batch.rows_size();
  }
  EXPECT_EQ(events, 750);
  EXPECT_EQ(batches["ORD"].size(), 3u);
  EXPECT_EQ(batches["ORD"][0].rows_size(), 255);  // the round trip at 256 and 257 moved on whole
  EXPECT_EQ(batches["LAX"].size(), 1u);
}

TEST(LatencyHistogramTest, QuantilesAreWithinABucket) {
  LatencyHistogram histogram;
  for (int us = 1; us <= 10'000; ++us) histogram.Record(std::chrono::microseconds(us));

  EXPECT_EQ(histogram.total(), 10'000u);
  EXPECT_NEAR(histogram.Quantile(0.99), 9'900, 9'900 * 0.07);
  EXPECT_NEAR(histogram.Quantile(0.5), 5'000, 5'000 * 0.07);
  EXPECT_EQ(LatencyHistogram().Quantile(0.99), 0);
}

TEST(LatencyHistogramTest, AddingBucketsUpIsTheSameAsRecordingInOne) {
  LatencyHistogram a, b, sum, one;
  for (int i = 0; i < 1000; ++i) {
    (i % 3 == 0 ? a : b).Record(std::chrono::microseconds(i * 37));
    one.Record(std::chrono::microseconds(i * 37));
  }

  for (const LatencyHistogram* part : {&a, &b}) {
    for (size_t i = 0; i < part->counts().size(); ++i) sum.Add(i, part->counts()[i]);
  }

  EXPECT_EQ(sum.counts(), one.counts());
}

}  // namespace
}  // namespace flights
