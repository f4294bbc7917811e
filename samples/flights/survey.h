// A look at the whole input before anything is started: whether it can be read, whether every
// airport is known, and how much work it is.
//
//   auto survey = TakeSurvey("flights.csv.zst", {.row_limit = 20'000}, airports);
//   survey->batches[0];     // that the reader of the odd rows will send
//
// Blocks the thread for as long as it takes to read the file.

#ifndef QUERN_SAMPLES_FLIGHTS_SURVEY_H_
#define QUERN_SAMPLES_FLIGHTS_SURVEY_H_

#include <array>
#include <cstdint>
#include <set>
#include <string>

#include "flights/airports.h"
#include "flights/flight_csv.h"

namespace flights {

inline constexpr size_t kReaders = 2;

// Whose row it is: 0 the western reader's (odd rows), 1 the eastern one's.
inline constexpr size_t ReaderOfRow(uint64_t row) { return row % 2 == 1 ? 0 : 1; }

struct Survey {
  uint64_t rows = 0;
  uint64_t flights = 0;  // well-formed rows
  uint64_t stay_west = 0;
  uint64_t stay_east = 0;
  uint64_t cross = 0;  // origin and destination have different homes
  std::array<uint64_t, kReaders> batches = {};
  std::set<std::string> airports;
  MalformedRows malformed;
};

// As FlightCsv; also NOT_FOUND for an airport that is not in `airports`, with its line, and
// FAILED_PRECONDITION for a file without a single flight.
quern::StatusOr<Survey> TakeSurvey(const std::string& path, FlightCsv::Options options,
                                   const Airports& airports);

}  // namespace flights

#endif  // QUERN_SAMPLES_FLIGHTS_SURVEY_H_
