#include "flights/readers.h"

#include <utility>

#include "flights/airports.h"
#include "flights/limits.h"

namespace flights {
namespace {

quern::Status Named(const quern::Status& status, const std::string& what) {
  return quern::Status(status.code(), what + ": " + std::string(status.message()));
}

}  // namespace

Readers::Readers(const DemoOptions& options, const Survey& survey) : survey_(survey) {
  for (size_t i = 0; i < kReaders; ++i) {
    Reader& reader = readers_[i];
    const bool west = i == ReaderOfRow(1);
    reader.datacenter = west ? kWest : kEast;
    v1::ReaderArguments& arguments = reader.arguments;
    arguments.set_name(west ? "odd" : "even");
    arguments.set_data_path(options.data_path);
    arguments.set_row_limit(options.row_limit);
    arguments.set_row_step(2);
    arguments.set_row_remainder(west ? 1 : 0);
    arguments.set_ask_timeout_ms(static_cast<uint32_t>(kBatchTimeout.count()));
    if (!options.no_kill) {
      arguments.set_hold_at_batches(survey.batches[i] - survey.batches[i] / 4);
    }
  }
}

quern::Status Readers::Spawn(quern::System& system) {
  for (Reader& reader : readers_) {
    auto ref = system.In(reader.datacenter)
                   .Spawn<ReaderApi>("reader-" + reader.arguments.name(), reader.arguments);
    if (!ref.ok()) return Named(ref.status(), "cannot spawn the reader in " + reader.datacenter);
    reader.ref = *std::move(ref);
  }
  return absl::OkStatus();
}

quern::Status Readers::Start(quern::Time now) {
  for (Reader& reader : readers_) {
    const auto started = reader.ref.Ask(v1::Start(), kStartTimeout);
    if (!started.ok()) {
      return Named(started.status(), "the reader in " + reader.datacenter + " cannot start");
    }
    reader.node = started->node();
    reader.heard_at = now;
  }
  return absl::OkStatus();
}

quern::Status Readers::Release() {
  for (Reader& reader : readers_) {
    const auto released = reader.ref.Ask(v1::Release(), kProgressTimeout);
    if (!released.ok()) return Named(released.status(), "the reader in " + reader.datacenter);
  }
  return absl::OkStatus();
}

quern::Status Readers::Refresh(quern::Time now) {
  for (Reader& reader : readers_) {
    if (reader.progress.done()) continue;
    auto progress = reader.ref.Ask(v1::GetProgress(), kProgressTimeout);
    if (progress.ok()) {
      reader.progress = *std::move(progress);
      reader.heard_at = now;
    } else if (now - reader.heard_at > kReaderSilenceMax) {
      return absl::UnavailableError("the reader on " + reader.node +
                                    " is silent: " + std::string(progress.status().message()));
    }
    if (!reader.progress.failure().empty()) {
      return absl::FailedPreconditionError("the reader on " + reader.node +
                                           " gave up: " + reader.progress.failure());
    }
  }
  return absl::OkStatus();
}

std::vector<std::string> Readers::nodes() const {
  std::vector<std::string> nodes;
  for (const Reader& reader : readers_) nodes.push_back(reader.node);
  return nodes;
}

bool Readers::done() const {
  for (const Reader& reader : readers_) {
    if (!reader.progress.done()) return false;
  }
  return true;
}

uint64_t Readers::planned() const {
  uint64_t sum = 0;
  for (const uint64_t batches : survey_.batches) sum += batches;
  return sum;
}

uint64_t Readers::answered() const {
  uint64_t sum = 0;
  for (const Reader& reader : readers_) sum += reader.progress.batches_answered();
  return sum;
}

uint64_t Readers::resent() const {
  uint64_t sum = 0;
  for (const Reader& reader : readers_) sum += reader.progress.batches_resent();
  return sum;
}

double Readers::flights_answered() const {
  uint64_t events = 0;
  for (const Reader& reader : readers_) events += reader.progress.events_answered();
  return static_cast<double>(events) / 2;
}

LatencyHistogram Readers::latency() const {
  LatencyHistogram sum;
  for (const Reader& reader : readers_) {
    for (int i = 0; i < reader.progress.latency_buckets_size(); ++i) {
      sum.Add(static_cast<size_t>(i), reader.progress.latency_buckets(i));
    }
  }
  return sum;
}

std::vector<v1::Move> Readers::moves() const {
  std::vector<v1::Move> moves;
  for (const Reader& reader : readers_) {
    moves.insert(moves.end(), reader.progress.moves().begin(), reader.progress.moves().end());
  }
  return moves;
}

std::string Readers::unanswered() const {
  std::string lines;
  for (const Reader& reader : readers_) {
    for (const std::string& line : reader.progress.sent_again()) lines += "\n    " + line;
  }
  return lines;
}

}  // namespace flights
