#include "flights/batcher.h"

#include <utility>

#include "flights/limits.h"
#include "flights/totals.h"

namespace flights {

Batcher::Batcher(std::string reader, OnBatch on_batch)
    : reader_(std::move(reader)), on_batch_(std::move(on_batch)) {}

void Batcher::Add(const Flight& flight) {
  const bool same = flight.origin == flight.destination;
  v1::Batch& departure = Open(flight.origin, same ? 2 : 1);
  departure.add_rows(flight.row);
  departure.add_kinds(flight.hour);
  departure.set_last_row(flight.row);

  v1::Batch& arrival = same ? departure : Open(flight.destination, 1);
  arrival.add_rows(flight.row);
  arrival.add_kinds(kArrivalKind);
  arrival.add_delays(flight.delay_minutes);
  arrival.set_last_row(flight.row);
}

void Batcher::Finish() {
  for (auto& [airport, batch] : open_) {
    if (batch.rows_size() > 0) Cut(airport, &batch);
  }
}

v1::Batch& Batcher::Open(const std::string& airport, int events) {
  const auto [found, inserted] = open_.try_emplace(airport);
  v1::Batch& batch = found->second;
  if (inserted) {
    batch.set_reader(reader_);
    batch.set_first_row(1);
  }
  if (batch.rows_size() + events > kBatchEventsMax) Cut(airport, &batch);
  return batch;
}

void Batcher::Cut(const std::string& airport, v1::Batch* batch) {
  v1::Batch full = std::exchange(*batch, v1::Batch());
  batch->set_reader(reader_);
  batch->set_first_row(full.last_row() + 1);
  on_batch_(airport, std::move(full));
}

}  // namespace flights
