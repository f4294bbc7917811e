#include "flights/verifier.h"

#include <gmock/gmock.h>

#include <deque>
#include <memory>

#include "flights/batcher.h"
#include "flights/survey.h"
#include "flights/totals.h"
#include "quern/runtime/random.h"
#include "temp_file.h"

namespace flights {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr uint64_t kRows = 20'000;

// An airport as its grain sees it: totals and marks that are saved together, or lost together.
struct Airport {
  v1::AirportTotals totals;
  std::map<std::string, uint64_t> marks;

  void Apply(const v1::Batch& batch) {
    uint64_t& mark = marks[batch.reader()];
    ASSERT_TRUE(ApplyBatch(batch, mark, &totals).ok());
    mark = std::max(mark, batch.last_row());
  }
};

std::map<std::string, v1::Totals> Answers(const std::map<std::string, Airport>& airports) {
  std::map<std::string, v1::Totals> answers;
  for (const auto& [code, airport] : airports) {
    *answers[code].mutable_totals() = airport.totals;
    answers[code].set_busiest_hour(BusiestHour(airport.totals));
  }
  return answers;
}

// Sends the first kRows rows from two readers: random order of airports, answers lost after the
// save (so that the batch comes again, sometimes merged with its successor), old batches repeated,
// and activations that die before they have saved.
std::map<std::string, Airport> Simulate(quern::Random& random) {
  struct Stream {
    std::string airport;
    std::deque<v1::Batch> batches;
    v1::Batch last;  // answered
  };
  std::map<std::pair<std::string, std::string>, Stream> by_source;
  auto csv = FlightCsv::Open(kJanuary, {.row_limit = kRows});
  std::vector<std::unique_ptr<Batcher>> batchers;
  for (const std::string reader : {"odd", "even"}) {
    batchers.push_back(
        std::make_unique<Batcher>(reader, [&, reader](const std::string& airport, v1::Batch batch) {
          Stream& stream = by_source[{airport, reader}];
          stream.airport = airport;
          stream.batches.push_back(std::move(batch));
        }));
  }
  for (;;) {
    auto flight = (*csv)->Next();
    if (!flight->has_value()) break;
    batchers[ReaderOfRow((*flight)->row)]->Add(**flight);
  }
  for (auto& batcher : batchers) batcher->Finish();

  std::vector<Stream*> open;
  for (auto& [source, stream] : by_source) open.push_back(&stream);
  std::map<std::string, Airport> airports;
  while (!open.empty()) {
    const size_t chosen = random.Below(open.size());
    Stream& stream = *open[chosen];
    Airport& airport = airports[stream.airport];
    const Airport saved = airport;
    if (random.Below(4) == 0 && stream.last.rows_size() > 0) airport.Apply(stream.last);
    v1::Batch& batch = stream.batches.front();
    airport.Apply(batch);
    switch (random.Below(4)) {
      case 0:  // died before the save: the reader sends the batch again
        airport = saved;
        continue;
      case 1:  // died after it: the same
        continue;
      case 2:  // resent together with what came before
        if (stream.last.rows_size() > 0) {
          v1::Batch both = stream.last;
          both.MergeFrom(batch);
          both.set_first_row(stream.last.first_row());
          airport.Apply(both);
        }
        [[fallthrough]];
      default:
        stream.last = std::move(batch);
        stream.batches.pop_front();
    }
    if (stream.batches.empty()) {
      open[chosen] = open.back();
      open.pop_back();
    }
  }
  return airports;
}

TEST(VerifierTest, AgreesWithTheAirportsWhateverIsResentLostOrRepeated) {
  const auto expected = Recompute(kJanuary, kRows);
  ASSERT_TRUE(expected.ok()) << expected.status();

  for (uint64_t seed = 1; seed <= 8; ++seed) {
    const auto random = quern::SeededRandom(seed);
    const auto airports = Simulate(*random);
    EXPECT_THAT(Compare(*expected, Answers(airports)), IsEmpty()) << "seed " << seed;
  }
}

TEST(VerifierTest, NamesEveryFieldThatDiffers) {
  const auto expected = Recompute(kJanuary, kRows);
  const auto random = quern::SeededRandom(1);
  const auto exact = Answers(Simulate(*random));

  auto wrong = exact;
  wrong.erase("LAX");
  wrong["XQZ"];
  v1::Totals& ord = wrong["ORD"];
  ord.mutable_totals()->set_on_time(ord.totals().on_time() + 1);
  ord.mutable_totals()->set_histogram(5, 0);
  ord.set_busiest_hour(25);

  EXPECT_THAT(Compare(*expected, wrong),
              ElementsAre("LAX: in the file, but no grain answered", HasSubstr("ORD busiest_hour"),
                          HasSubstr("ORD on_time"), HasSubstr("ORD histogram[5]"),
                          "XQZ: a grain, but not in the file"));
}

// Two parsers that share nothing must call the same rows flights.
TEST(VerifierTest, TakesTheSameRowsForFlightsAsTheReaders) {
  const std::string good = "2001-01-01T00:01Z,-33,2176,LAS,PHL";
  const std::string alphabet = "0129-:TZ,ALaz +.\t\"";
  const uint64_t seed = 7;
  const auto random = quern::SeededRandom(seed);
  std::string text(kFlightsHeader);
  for (int i = 0; i < 20'000; ++i) {
    std::string row = good;
    for (uint64_t edits = random->Below(3); edits > 0; --edits) {
      const size_t at = random->Below(row.size());
      const std::string c(1, alphabet[random->Below(alphabet.size())]);
      row.replace(at, random->Below(2), c, 0, random->Below(2));
    }
    text += row + "\n";
  }
  TempFile file("flights.csv", text);

  std::map<std::string, std::array<uint64_t, 2>> read;  // departures, arrivals
  auto csv = FlightCsv::Open(file.path(), {});
  for (;;) {
    auto flight = (*csv)->Next();
    ASSERT_TRUE(flight.ok());
    if (!flight->has_value()) break;
    ++read[(*flight)->origin][0];
    ++read[(*flight)->destination][1];
  }
  std::map<std::string, std::array<uint64_t, 2>> recomputed;
  const auto expected = Recompute(file.path(), 0);
  for (const auto& [code, totals] : *expected) {
    recomputed[code] = {totals.departures, totals.arrivals};
  }

  EXPECT_EQ(read, recomputed) << "seed " << seed;
  EXPECT_GT((*csv)->malformed().count, 5'000u);
}

}  // namespace
}  // namespace flights
