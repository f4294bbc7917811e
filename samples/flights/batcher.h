// Cuts one reader's flights into batches: per airport, in row order, at most kBatchEventsMax events
// each, no row split. The cuts depend on the rows alone, so that a resend is the same batch and the
// number of batches is known in advance (survey.h).
//
//   Batcher batcher("odd", [&](std::string airport, v1::Batch batch) { .. });
//   batcher.Add(flight);
//   batcher.Finish();      // the rest
//
// Owner only.

#ifndef QUERN_SAMPLES_FLIGHTS_BATCHER_H_
#define QUERN_SAMPLES_FLIGHTS_BATCHER_H_

#include <functional>
#include <map>
#include <string>

#include "flights.pb.h"
#include "flights/flight_csv.h"

namespace flights {

class Batcher {
 public:
  using OnBatch = std::function<void(const std::string& airport, v1::Batch batch)>;

  Batcher(std::string reader, OnBatch on_batch);

  // Rows must rise.
  void Add(const Flight& flight);

  // Hands out every batch that is still open, by airport.
  void Finish();

 private:
  // The open batch of `airport`, with room for `events`.
  v1::Batch& Open(const std::string& airport, int events);
  void Cut(const std::string& airport, v1::Batch* batch);

  const std::string reader_;
  const OnBatch on_batch_;
  std::map<std::string, v1::Batch> open_;
};

}  // namespace flights

#endif  // QUERN_SAMPLES_FLIGHTS_BATCHER_H_
