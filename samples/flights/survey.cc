#include "flights/survey.h"

#include <utility>

#include "flights/batcher.h"

namespace flights {
namespace {

quern::Status UnknownAirport(const std::string& path, const Flight& flight, const std::string& code,
                             const Airports& airports) {
  return absl::NotFoundError(path + ":" + std::to_string(flight.row + 1) + ": unknown airport \"" +
                             code + "\"; add it to " + airports.path() +
                             " or give another list with --airports");
}

}  // namespace

quern::StatusOr<Survey> TakeSurvey(const std::string& path, FlightCsv::Options options,
                                   const Airports& airports) {
  auto csv = FlightCsv::Open(path, options);
  if (!csv.ok()) return csv.status();

  Survey survey;
  std::array<Batcher, kReaders> batchers = {
      Batcher("", [&](const std::string&, const v1::Batch&) { ++survey.batches[0]; }),
      Batcher("", [&](const std::string&, const v1::Batch&) { ++survey.batches[1]; })};
  for (;;) {
    auto next = (*csv)->Next();
    if (!next.ok()) return next.status();
    if (!next->has_value()) break;
    const Flight& flight = **next;
    for (const std::string* code : {&flight.origin, &flight.destination}) {
      if (survey.airports.contains(*code)) continue;
      if (!airports.Knows(*code)) return UnknownAirport(path, flight, *code, airports);
      survey.airports.insert(*code);
    }
    const std::string home = airports.Home(flight.origin);
    if (home != airports.Home(flight.destination)) {
      ++survey.cross;
    } else {
      ++(home == kWest ? survey.stay_west : survey.stay_east);
    }
    ++survey.flights;
    batchers[ReaderOfRow(flight.row)].Add(flight);
  }
  for (Batcher& batcher : batchers) batcher.Finish();
  survey.rows = (*csv)->rows();
  survey.malformed = (*csv)->malformed();
  if (survey.flights == 0) {
    return absl::FailedPreconditionError(path + " holds no flight; give another file with --data");
  }
  return survey;
}

}  // namespace flights
