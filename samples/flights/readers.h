// Both readers as the launcher sees them: spawned by kind in their datacenters, started, and asked
// how far they are.
//
//   Readers readers(options, survey);
//   readers.Spawn(system);  readers.Start();
//   readers.Refresh(now);                       // asks both; a silent one keeps its last answer
//   readers.answered(), readers.planned()
//
// Main thread only; every call blocks it, Refresh for at most kProgressTimeout a reader.

#ifndef QUERN_SAMPLES_FLIGHTS_READERS_H_
#define QUERN_SAMPLES_FLIGHTS_READERS_H_

#include <array>
#include <string>
#include <vector>

#include "flights/api.h"
#include "flights/latency_histogram.h"
#include "flights/options.h"
#include "flights/survey.h"
#include "quern/runtime/ref.h"
#include "quern/runtime/system.h"

namespace flights {

class Readers {
 public:
  // `survey` outlives this. With a kill or a pause to come a reader sends three quarters of its
  // batches and waits for Release, so that there is work left whatever the machine's speed.
  Readers(const DemoOptions& options, const Survey& survey);

  // As Place::Spawn, naming the datacenter.
  quern::Status Spawn(quern::System& system);

  quern::Status Start(quern::Time now);

  // UNAVAILABLE when one did not hear it; may be repeated.
  quern::Status Release();

  // FAILED_PRECONDITION: a reader has given up. UNAVAILABLE: one has not answered for
  // kReaderSilenceMax.
  quern::Status Refresh(quern::Time now);

  // "us-west/node-1" of each, known once started.
  std::vector<std::string> nodes() const;

  bool done() const;
  uint64_t planned() const;  // batches
  uint64_t answered() const;
  uint64_t resent() const;
  double flights_answered() const;  // a flight is two events
  LatencyHistogram latency() const;
  std::vector<v1::Move> moves() const;
  std::string unanswered() const;  // some of the batches that are sent again, and why; a line each

 private:
  struct Reader {
    std::string datacenter;
    v1::ReaderArguments arguments;
    quern::Ref<ReaderApi> ref;
    std::string node;
    v1::Progress progress;
    quern::Time heard_at;
  };

  const Survey& survey_;
  std::array<Reader, kReaders> readers_;
};

}  // namespace flights

#endif  // QUERN_SAMPLES_FLIGHTS_READERS_H_
