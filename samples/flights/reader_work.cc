#include "flights/reader_work.h"

#include <utility>

#include "flights/limits.h"

namespace flights {

ReaderWork::ReaderWork(v1::ReaderArguments arguments)
    : arguments_(std::move(arguments)),
      batcher_(arguments_.name(), [this](const std::string& airport, v1::Batch batch) {
        ++cut_;
        waiting_.push_back({airport, std::move(batch)});
      }) {}

quern::Status ReaderWork::Open() {
  if (csv_ != nullptr) return absl::OkStatus();
  if (arguments_.name().empty() || arguments_.row_step() == 0 ||
      arguments_.row_remainder() >= arguments_.row_step()) {
    return absl::InvalidArgumentError("a reader needs a name, and a row_remainder below row_step");
  }
  auto csv = FlightCsv::Open(arguments_.data_path(), {.row_limit = arguments_.row_limit()});
  if (!csv.ok()) return csv.status();
  csv_ = *std::move(csv);
  return absl::OkStatus();
}

bool ReaderWork::wants_to_read() const {
  return csv_ != nullptr && !at_end_ && cut_ - counted_.batches_answered() < kBatchesWaitingMax;
}

void ReaderWork::ReadSome() {
  for (size_t i = 0; i < kFlightsPerRead; ++i) {
    auto flight = csv_->Next();
    if (!flight.ok()) {
      counted_.set_failure(std::string(flight.status().message()));
      at_end_ = true;
      return;
    }
    if (!flight->has_value()) {
      batcher_.Finish();
      at_end_ = true;
      return;
    }
    if ((*flight)->row % arguments_.row_step() != arguments_.row_remainder()) continue;
    counted_.set_rows_read(counted_.rows_read() + 1);
    batcher_.Add(**flight);
  }
}

std::vector<Parcel> ReaderWork::TakeSendable() {
  std::vector<Parcel> parcels;
  const uint64_t hold_at = released_ ? 0 : arguments_.hold_at_batches();
  while (!waiting_.empty() && (hold_at == 0 || sent_ < hold_at)) {
    parcels.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
    ++sent_;
  }
  return parcels;
}

void ReaderWork::OnDelivered(const v1::Delivered& delivered) {
  sent_again_.erase(delivered.airport());
  counted_.set_batches_resent(counted_.batches_resent() + delivered.resent());
  if (!delivered.failure().empty()) {
    counted_.set_failure(delivered.airport() + ": " + delivered.failure());
    at_end_ = true;
    return;
  }
  counted_.set_batches_answered(counted_.batches_answered() + 1);
  counted_.set_events_answered(counted_.events_answered() + delivered.events());
  latency_.Record(
      std::chrono::nanoseconds(delivered.answered_at_ns() - delivered.first_sent_at_ns()));

  std::string& node = node_of_airport_[delivered.airport()];
  if (node == delivered.node()) return;
  v1::Move* const move = counted_.add_moves();
  move->set_airport(delivered.airport());
  move->set_from_node(node);
  move->set_to_node(delivered.node());
  move->set_answered_at_ns(delivered.answered_at_ns());
  node = delivered.node();
}

void ReaderWork::OnSentAgain(const v1::SentAgain& again) {
  sent_again_[again.airport()] = again.why();
}

v1::Progress ReaderWork::progress() const {
  v1::Progress progress = counted_;
  progress.set_batches_cut(cut_);
  for (const auto& [airport, why] : sent_again_) {
    if (progress.sent_again_size() == kSentAgainShown) break;
    progress.add_sent_again(airport + ": " + why);
  }
  progress.mutable_latency_buckets()->Add(latency_.counts().begin(), latency_.counts().end());
  progress.set_done(at_end_ && counted_.batches_answered() == cut_);
  return progress;
}

}  // namespace flights
