// The launcher's way into the datacenters: a System of its own with a client's router in it.
//
//   auto link = Link::Open(global_url, airports, 1);
//   (*link)->system().Grain<AirportApi>("ORD").Ask(v1::GetTotals());
//
// Open blocks until both datacenters are active.

#ifndef QUERN_SAMPLES_FLIGHTS_LINK_H_
#define QUERN_SAMPLES_FLIGHTS_LINK_H_

#include <memory>
#include <string>

#include "flights/airports.h"
#include "quern/runtime/system.h"

namespace flights {

class Link {
 public:
  // As datacenter::Client::Connect.
  static quern::StatusOr<std::unique_ptr<Link>> Open(const std::string& global_url,
                                                     const Airports& airports, int lease_divisor);

  virtual ~Link() = default;

  virtual quern::System& system() = 0;
};

}  // namespace flights

#endif  // QUERN_SAMPLES_FLIGHTS_LINK_H_
