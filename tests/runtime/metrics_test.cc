#include "quern/runtime/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <absl/strings/str_cat.h>

#include "metrics/class_metrics.h"
#include "quern/quern.h"
#include "quern/runtime/metric_names.h"

namespace quern {
namespace {

using namespace std::chrono_literals;

TEST(HistogramTest, EveryValueLiesInItsBucket) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 100'000; ++i) {
    const uint64_t value = random() >> (random() % 64);
    const size_t bucket = Histogram::BucketOf(value);

    ASSERT_LT(bucket, Histogram::kBuckets);
    ASSERT_LE(value, Histogram::UpperEnd(bucket));
    if (bucket > 0) {
      ASSERT_GT(value, Histogram::UpperEnd(bucket - 1));
    }
  }
  EXPECT_EQ(Histogram::UpperEnd(Histogram::kBuckets - 1), UINT64_MAX);
}

TEST(HistogramTest, QuantilesAreCloseToTheExactOnes) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    std::mt19937_64 random(seed);
    const uint64_t shift = random() % 50;
    std::vector<uint64_t> values(1 + random() % 2000);
    Histogram histogram;
    for (uint64_t& value : values) {
      value = (random() >> 14) >> (random() % (shift + 1));
      histogram.Record(value);
    }
    std::sort(values.begin(), values.end());

    const HistogramSnapshot snapshot = histogram.Snapshot();
    for (double share : {0.0, 0.01, 0.5, 0.9, 0.99, 1.0}) {
      const double rank = std::ceil(share * static_cast<double>(values.size()));
      const uint64_t exact = values[std::max<size_t>(static_cast<size_t>(rank), 1) - 1];
      const uint64_t found = snapshot.Quantile(share);
      ASSERT_GE(found, exact);
      ASSERT_LE(found - exact, exact / 16);
    }
  }
}

TEST(HistogramTest, MergingIsRecordingTogether) {
  Histogram a;
  Histogram b;
  Histogram both;
  for (uint64_t i = 0; i < 1000; ++i) {
    (i % 3 == 0 ? a : b).Record(i * i);
    both.Record(i * i);
  }

  HistogramSnapshot merged = a.Snapshot();
  merged.Merge(b.Snapshot());

  EXPECT_EQ(merged.count(), 1000u);
  EXPECT_EQ(merged.sum(), both.Snapshot().sum());
  for (double share : {0.1, 0.5, 0.9}) {
    EXPECT_EQ(merged.Quantile(share), both.Snapshot().Quantile(share));
  }
}

TEST(HistogramTest, AnEmptyOneSaysZero) {
  EXPECT_EQ(Histogram().Snapshot().Quantile(0.5), 0u);
  EXPECT_EQ(HistogramSnapshot().Quantile(0.5), 0u);
}

TEST(ClassMetricsTest, BeyondTheBoundClassesShareOne) {
  std::vector<std::string> names(kMetricClassesMax + 10);
  internal::ClassMetrics metrics;
  for (size_t i = 0; i < names.size(); ++i) {
    names[i] = absl::StrCat("a class with a name of its own ", i);
    metrics.EntryOf(names[i]).depth.Record(0);
  }

  std::vector<std::string> found;
  metrics.ForEach([&](const internal::ClassMetrics::Entry& entry) {
    found.push_back(absl::StrCat(std::string(entry.name), " ", entry.depth.Snapshot().count()));
  });

  EXPECT_EQ(found.size(), kMetricClassesMax);
  EXPECT_EQ(found.back(), "(others) 11");
}

TEST(ClassMetricsTest, StacksAreLookedAtOftenAtFirstThenRarely) {
  internal::ClassMetrics metrics;
  internal::ClassMetrics::Entry& entry = metrics.EntryOf("a class");

  std::vector<uint64_t> due;
  while (entry.samples < 3 * kStackSampleEvery) {
    ++entry.samples;
    if (entry.StackDue()) due.push_back(entry.samples);
  }

  EXPECT_EQ(due, std::vector<uint64_t>({1, 2, 4, 8, 16, 32, 64, 128, 256, 512, kStackSampleEvery,
                                        2 * kStackSampleEvery, 3 * kStackSampleEvery}));
}

struct Ping {};
struct EchoApi : Protocol<int(Ping)> {};
struct Echo : Actor<EchoApi> {
  int On(const Ping&) { return 1; }
};

TEST(MetricsTest, CountTurnsAndDeadLettersAndSampleClasses) {
  System system(SystemOptions{.name = "test", .workers = 1});
  auto echo = system.Spawn<Echo>("echo").value();
  // A turn may handle several of them.
  while (system.Metrics().Value(metric_names::kTurns, "0") < 4 * kMetricSampleEvery) {
    ASSERT_TRUE(echo.Ask(Ping{}).ok());
  }
  echo.Stop();
  system.WaitUntilQuiet();
  echo.Tell(Ping{});

  const MetricsSnapshot metrics = system.Metrics();

  EXPECT_EQ(metrics.Value(metric_names::kDeadLetters, "stopped"), 1);
  EXPECT_EQ(metrics.Value(metric_names::kDeadLetters, "full"), 0);
  EXPECT_EQ(metrics.Value(metric_names::kWorkers), 1);
  EXPECT_GE(metrics.Value(metric_names::kTurns, "0"), 4 * kMetricSampleEvery);
  EXPECT_GE(metrics.Value(metric_names::kRunners, "0"), 1);
  const Metric* handlers = metrics.Find(metric_names::kHandlerSeconds, "quern::{anonymous}::Echo");
  ASSERT_NE(handlers, nullptr);
  EXPECT_GE(handlers->distribution.count(), 2u);
  EXPECT_EQ(metrics.Find("nothing"), nullptr);
  EXPECT_EQ(metrics.Value("nothing"), 0);
}

TEST(MetricsTest, PrometheusReadsTheText) {
  Histogram depth;
  for (uint64_t i = 1; i <= 10; ++i) depth.Record(i);
  MetricsSnapshot snapshot;
  snapshot.metrics.push_back({.name = "quern_a_total",
                              .kind = MetricKind::kCounter,
                              .label = "reason",
                              .label_value = "a \"b\"\\\n",
                              .value = 3});
  snapshot.metrics.push_back({.name = "quern_b",
                              .kind = MetricKind::kSummary,
                              .label = {},
                              .label_value = {},
                              .value = 0,
                              .distribution = depth.Snapshot(),
                              .scale = 0.5});

  EXPECT_EQ(snapshot.ToPrometheus(),
            "# TYPE quern_a_total counter\n"
            "quern_a_total{reason=\"a \\\"b\\\"\\\\\\n\"} 3\n"
            "# TYPE quern_b summary\n"
            "quern_b{quantile=\"0.5\"} 2.5\n"
            "quern_b{quantile=\"0.9\"} 4.5\n"
            "quern_b{quantile=\"0.99\"} 5\n"
            "quern_b{quantile=\"0.999\"} 5\n"
            "quern_b_sum 27.5\n"
            "quern_b_count 10\n");
}

}  // namespace
}  // namespace quern
