// The rows of a flights file, one at a time, malformed ones counted and the first few kept for
// people.
//
//   auto csv = FlightCsv::Open("flights-2001-01.csv.zst", {.row_limit = 20'000});
//   for (;;) {
//     auto flight = (*csv)->Next();               // StatusOr<std::optional<Flight>>
//     if (!flight.ok() || !flight->has_value()) break;
//   }
//
// Owner only. Blocks the thread.

#ifndef QUERN_SAMPLES_FLIGHTS_FLIGHT_CSV_H_
#define QUERN_SAMPLES_FLIGHTS_FLIGHT_CSV_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "flights/byte_source.h"
#include "quern/runtime/status.h"

namespace flights {

struct Flight {
  uint64_t row = 0;   // 1 for the first line after the header; malformed rows count too
  uint32_t hour = 0;  // of the scheduled departure, 0-23
  int32_t delay_minutes = 0;
  std::string origin;
  std::string destination;
};

// One line without its end. INVALID_ARGUMENT says what is wrong with it. `row` is left alone.
quern::Status ParseFlight(std::string_view line, Flight* flight);

struct MalformedRow {
  uint64_t line = 0;
  std::string reason;
};

struct MalformedRows {
  uint64_t count = 0;
  std::vector<MalformedRow> first;  // at most kMalformedShown
};

class FlightCsv {
 public:
  struct Options {
    uint64_t row_limit = 0;  // 0: all
    bool strict = false;     // the first malformed row is an error
  };

  // As ByteSource::Open; INVALID_ARGUMENT when the first line is not the header of a flights file.
  static quern::StatusOr<std::unique_ptr<FlightCsv>> Open(const std::string& path, Options options);

  // Nothing at the end. DATA_LOSS: damaged file. INVALID_ARGUMENT: a malformed row under `strict`.
  quern::StatusOr<std::optional<Flight>> Next();

  // Data rows so far, malformed ones included.
  uint64_t rows() const { return rows_; }
  const MalformedRows& malformed() const { return malformed_; }

 private:
  FlightCsv(std::string path, Options options, LineSource lines);

  const std::string path_;
  const Options options_;
  LineSource lines_;
  uint64_t rows_ = 0;
  MalformedRows malformed_;
};

}  // namespace flights

#endif  // QUERN_SAMPLES_FLIGHTS_FLIGHT_CSV_H_
