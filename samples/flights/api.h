// What can be asked of an airport and of a reader. All that a caller needs.

#ifndef QUERN_SAMPLES_FLIGHTS_API_H_
#define QUERN_SAMPLES_FLIGHTS_API_H_

#include <string_view>

#include "flights.pb.h"
#include "quern/runtime/protocol.h"

namespace flights {

// A grain an airport; its key is the airport's code.
struct AirportApi : quern::Protocol<v1::Applied(v1::Batch), v1::Totals(v1::GetTotals)> {
  static constexpr std::string_view kKind = "airport";
};

// An actor a datacenter. ReadOn, Delivered and SentAgain are between the reader and its own
// children.
struct ReaderApi : quern::Protocol<v1::Started(v1::Start), v1::Released(v1::Release),
                                   v1::Progress(v1::GetProgress), void(v1::ReadOn),
                                   void(v1::Delivered), void(v1::SentAgain)> {
  static constexpr std::string_view kKind = "reader";
  using Arguments = v1::ReaderArguments;
};

}  // namespace flights

#endif  // QUERN_SAMPLES_FLIGHTS_API_H_
