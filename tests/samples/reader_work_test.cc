#include "flights/reader_work.h"

#include <gmock/gmock.h>

#include "flights/airports.h"
#include "flights/limits.h"
#include "flights/survey.h"
#include "flights/totals.h"
#include "flights/verifier.h"
#include "temp_file.h"

namespace flights {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr uint64_t kRows = 20'000;

v1::ReaderArguments Arguments(uint32_t remainder) {
  v1::ReaderArguments arguments;
  arguments.set_name(remainder == 1 ? "odd" : "even");
  arguments.set_data_path(kJanuary);
  arguments.set_row_limit(kRows);
  arguments.set_row_step(2);
  arguments.set_row_remainder(remainder);
  return arguments;
}

v1::Delivered Answer(const Parcel& parcel, const std::string& node) {
  v1::Delivered delivered;
  delivered.set_airport(parcel.airport);
  delivered.set_events(static_cast<uint32_t>(parcel.batch.rows_size()));
  delivered.set_first_sent_at_ns(1'000'000);
  delivered.set_answered_at_ns(3'000'000);
  delivered.set_node(node);
  return delivered;
}

TEST(ReaderWorkTest, TwoReadersSendEveryRowOnceAndAsManyBatchesAsSurveyed) {
  const auto airports = Airports::Load(kAirportsFile, {});
  const auto survey = TakeSurvey(kJanuary, {.row_limit = kRows}, *airports);
  std::map<std::string, v1::Totals> totals;

  for (const uint32_t remainder : {1u, 0u}) {
    ReaderWork work(Arguments(remainder));
    ASSERT_TRUE(work.Open().ok());
    while (!work.progress().done()) {
      while (work.wants_to_read()) work.ReadSome();
      for (const Parcel& parcel : work.TakeSendable()) {
        v1::Totals& airport = totals[parcel.airport];
        ASSERT_TRUE(
            ApplyBatch(parcel.batch, parcel.batch.first_row() - 1, airport.mutable_totals()).ok());
        airport.set_busiest_hour(BusiestHour(airport.totals()));
        work.OnDelivered(Answer(parcel, "us-west/node-1"));
      }
    }
    const v1::Progress progress = work.progress();
    EXPECT_EQ(progress.rows_read(), kRows / 2);
    EXPECT_EQ(progress.events_answered(), kRows);
    EXPECT_EQ(progress.batches_answered(), survey->batches[ReaderOfRow(remainder)]);
    for (const v1::Move& move : progress.moves()) EXPECT_EQ(move.from_node(), "");
  }

  EXPECT_THAT(Compare(*Recompute(kJanuary, kRows), totals), IsEmpty());
}

TEST(ReaderWorkTest, HoldsUntilReleased) {
  v1::ReaderArguments arguments = Arguments(1);
  arguments.set_hold_at_batches(10);
  ReaderWork work(arguments);
  ASSERT_TRUE(work.Open().ok());
  while (work.wants_to_read()) work.ReadSome();

  const size_t before = work.TakeSendable().size();
  const size_t held = work.TakeSendable().size();
  work.Release();
  const size_t after = work.TakeSendable().size();

  EXPECT_EQ(before, 10u);
  EXPECT_EQ(held, 0u);
  EXPECT_EQ(before + after, work.progress().batches_cut());
}

TEST(ReaderWorkTest, StopsReadingWhileTooManyBatchesWait) {
  v1::ReaderArguments arguments = Arguments(1);
  arguments.set_row_limit(0);
  ReaderWork work(arguments);
  ASSERT_TRUE(work.Open().ok());
  while (work.wants_to_read()) work.ReadSome();

  EXPECT_GE(work.progress().batches_cut(), kBatchesWaitingMax);
  EXPECT_LT(work.progress().batches_cut(), kBatchesWaitingMax + 2 * kFlightsPerRead);
  EXPECT_FALSE(work.progress().done());

  const std::vector<Parcel> parcels = work.TakeSendable();
  for (size_t i = 0; i < parcels.size() / 2; ++i) work.OnDelivered(Answer(parcels[i], "n"));
  EXPECT_TRUE(work.wants_to_read());
}

TEST(ReaderWorkTest, TellsWhenAnAirportAnswersFromAnotherNode) {
  ReaderWork work(Arguments(1));
  ASSERT_TRUE(work.Open().ok());
  while (work.wants_to_read()) work.ReadSome();
  const Parcel parcel = work.TakeSendable().at(0);

  for (const std::string node : {"a", "a", "b"}) work.OnDelivered(Answer(parcel, node));

  const v1::Progress progress = work.progress();
  ASSERT_EQ(progress.moves_size(), 2);  // the first answer, then the change
  EXPECT_EQ(progress.moves(0).from_node() + ">" + progress.moves(0).to_node(), ">a");
  EXPECT_EQ(progress.moves(1).airport(), parcel.airport);
  EXPECT_EQ(progress.moves(1).from_node() + ">" + progress.moves(1).to_node(), "a>b");
  EXPECT_EQ(progress.moves(1).answered_at_ns(), 3'000'000);
}

TEST(ReaderWorkTest, ARefusedBatchIsAFailureThatIsNamed) {
  ReaderWork work(Arguments(1));
  ASSERT_TRUE(work.Open().ok());
  while (work.wants_to_read()) work.ReadSome();
  v1::Delivered refused = Answer(work.TakeSendable().at(0), "");
  refused.set_failure("rows after 3 are missing");

  work.OnDelivered(refused);

  EXPECT_EQ(work.progress().failure(), refused.airport() + ": rows after 3 are missing");
  EXPECT_FALSE(work.progress().done());
}

TEST(ReaderWorkTest, WrongArgumentsAndMissingFilesAreRefused) {
  v1::ReaderArguments no_file = Arguments(1);
  no_file.set_data_path("no/such/file");
  v1::ReaderArguments no_step = Arguments(1);
  no_step.set_row_step(0);

  EXPECT_EQ(ReaderWork(no_file).Open().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReaderWork(no_step).Open().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace flights
