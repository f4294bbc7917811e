// Where the airports are, and which datacenter is the home of each: a static rule of the longitude,
// the same in every process.
//
//   auto airports = Airports::Load("airports.csv", {.border_west = 95});
//   airports->Home("LAX") == "us-west"
//
// Constant after Load; copies share nothing. Load blocks the thread.

#ifndef QUERN_SAMPLES_FLIGHTS_AIRPORTS_H_
#define QUERN_SAMPLES_FLIGHTS_AIRPORTS_H_

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "quern/runtime/status.h"

namespace flights {

inline constexpr std::string_view kWest = "us-west";
inline constexpr std::string_view kEast = "us-east";

class Airports {
 public:
  struct Options {
    double border_west = 95;  // degrees west of Greenwich
  };

  // As ByteSource::Open; INVALID_ARGUMENT names the line that is no airport.
  static quern::StatusOr<Airports> Load(const std::string& path, Options options);

  bool Knows(std::string_view code) const { return longitudes_.contains(code); }

  // West of the border us-west, else us-east; an unknown code is at home in us-east.
  std::string Home(std::string_view code) const;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
  Options options_;
  std::map<std::string, double, std::less<>> longitudes_;
};

}  // namespace flights

#endif  // QUERN_SAMPLES_FLIGHTS_AIRPORTS_H_
