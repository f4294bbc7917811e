#include "flights/reader.h"

#include <gmock/gmock.h>

#include "flights/airport.h"
#include "flights/airports.h"
#include "flights/survey.h"
#include "flights/verifier.h"
#include "quern/quern.h"
#include "quern/runtime/memory_state_store.h"
#include "temp_file.h"

namespace flights {
namespace {

using namespace std::chrono_literals;
using ::testing::IsEmpty;

constexpr uint64_t kRows = 20'000;

v1::ReaderArguments Arguments(uint32_t remainder) {
  v1::ReaderArguments arguments;
  arguments.set_name(remainder == 1 ? "odd" : "even");
  arguments.set_data_path(kJanuary);
  arguments.set_row_limit(kRows);
  arguments.set_row_step(2);
  arguments.set_row_remainder(remainder);
  arguments.set_ask_timeout_ms(10'000);
  return arguments;
}

// Loses the answers of some saves: the record is written, and the grain ends as if it did not know.
class ForgetfulStore : public quern::StateStore {
 public:
  explicit ForgetfulStore(quern::StateStore& inner) : inner_(inner) {}

  void Claim(const quern::GrainId& id, const quern::Epoch& epoch, quern::Duration timeout,
             std::function<void(quern::StatusOr<quern::ClaimedState>)> done) override {
    inner_.Claim(id, epoch, timeout, std::move(done));
  }
  void Save(const quern::StateClaim& claim, quern::StateSnapshot snapshot, quern::Duration timeout,
            std::function<void(quern::StatusOr<quern::StateClaim>)> done) override {
    if (saves_.fetch_add(1) % 7 != 3) return inner_.Save(claim, std::move(snapshot), timeout, done);
    inner_.Save(claim, std::move(snapshot), timeout, [done](quern::StatusOr<quern::StateClaim>) {
      done(absl::DeadlineExceededError("the answer was lost"));
    });
  }
  void Clear(const quern::StateClaim& claim, quern::Duration timeout,
             std::function<void(quern::StatusOr<quern::StateClaim>)> done) override {
    inner_.Clear(claim, timeout, std::move(done));
  }
  uint64_t refused_writes() const override { return inner_.refused_writes(); }

 private:
  quern::StateStore& inner_;
  std::atomic<uint64_t> saves_ = 0;
};

// Both readers and all airports in one System; returns what the airports answer in the end.
std::map<std::string, v1::Totals> RunBoth(quern::StateStore& store, uint64_t* resent) {
  quern::System system(quern::SystemOptions{.name = "test", .workers = 2, .state_store = &store});
  EXPECT_TRUE(system.Host<Airport>().ok());
  std::vector<quern::Ref<ReaderApi>> readers;
  for (const uint32_t remainder : {1u, 0u}) {
    const v1::ReaderArguments arguments = Arguments(remainder);
    readers.push_back(system.Spawn<Reader>("reader-" + arguments.name(), arguments).value());
    EXPECT_TRUE(readers.back().Ask(v1::Start()).ok());
  }
  for (const quern::Ref<ReaderApi>& reader : readers) {
    v1::Progress progress;
    while (!progress.done()) {
      system.WaitUntilQuiet();
      progress = reader.Ask(v1::GetProgress()).value();
      EXPECT_EQ(progress.failure(), "");
      if (!progress.failure().empty()) break;
    }
    EXPECT_EQ(progress.events_answered(), kRows);
    *resent += progress.batches_resent();
  }
  std::map<std::string, v1::Totals> totals;
  const auto airports = Airports::Load(kAirportsFile, {});
  const auto survey = TakeSurvey(kJanuary, {.row_limit = kRows}, *airports);
  for (const std::string& airport : survey->airports) {
    totals[airport] = system.Grain<AirportApi>(airport).Ask(v1::GetTotals()).value();
  }
  system.Stop();
  return totals;
}

TEST(ReaderTest, TwoReadersAndTheirAirportsAgreeWithTheFile) {
  quern::MemoryStateStore store;
  uint64_t resent = 0;

  const auto totals = RunBoth(store, &resent);

  EXPECT_THAT(Compare(*Recompute(kJanuary, kRows), totals), IsEmpty());
  EXPECT_EQ(resent, 0u);
}

TEST(ReaderTest, TotalsStayExactWhenSavesDoNotAnswerAndActivationsEnd) {
  quern::MemoryStateStore memory;
  ForgetfulStore store(memory);
  uint64_t resent = 0;

  const auto totals = RunBoth(store, &resent);

  EXPECT_THAT(Compare(*Recompute(kJanuary, kRows), totals), IsEmpty());
  EXPECT_GT(resent, 50u);
}

TEST(ReaderTest, AMissingFileIsTheAnswerToStart) {
  quern::System system("test");
  v1::ReaderArguments arguments = Arguments(1);
  arguments.set_data_path("no/such/file");
  const auto reader = system.Spawn<Reader>("reader", arguments).value();

  EXPECT_EQ(reader.Ask(v1::Start()).status().code(), absl::StatusCode::kNotFound);
}

TEST(CourierTest, OnlyWhatMayHelpIsSentAgain) {
  EXPECT_TRUE(WorthSendingAgain(absl::UnavailableError("")));
  EXPECT_TRUE(WorthSendingAgain(absl::DeadlineExceededError("")));
  EXPECT_TRUE(WorthSendingAgain(absl::AbortedError("")));
  EXPECT_TRUE(WorthSendingAgain(absl::ResourceExhaustedError("")));
  EXPECT_FALSE(WorthSendingAgain(absl::FailedPreconditionError("")));
  EXPECT_FALSE(WorthSendingAgain(absl::InvalidArgumentError("")));
}

}  // namespace
}  // namespace flights
