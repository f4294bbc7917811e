// The one thing that goes wrong in a run: a node killed, or stopped and woken too late, once half
// of the batches are answered; and what came of it.
//
//   Disturbance disturbance(options, fleet, readers, clock);
//   disturbance.Check();                     // INVALID_ARGUMENT: a reader lives on that node
//   disturbance.Step();                      // again and again while the readers work
//   disturbance.first_answer_ms()
//
// Main thread only; blocks it.

#ifndef QUERN_SAMPLES_FLIGHTS_DISTURBANCE_H_
#define QUERN_SAMPLES_FLIGHTS_DISTURBANCE_H_

#include <map>
#include <optional>
#include <set>
#include <string>

#include "flights.pb.h"
#include "flights/fleet.h"
#include "flights/options.h"
#include "flights/readers.h"
#include "quern/runtime/clock.h"

namespace flights {

class Disturbance {
 public:
  // The references outlive this.
  Disturbance(const DemoOptions& options, Fleet& fleet, Readers& readers, quern::Clock& clock);

  // After the readers have started.
  quern::Status Check() const;

  // Does what is due now. The text to tell people, often empty.
  quern::StatusOr<std::string> Step();

  // Nothing more will be done: nothing was to be done, or all of it has been.
  bool over() const { return phase_ == Phase::kOver; }

  const std::optional<NodeName>& killed() const { return killed_; }
  const std::optional<NodeName>& paused() const { return paused_; }

  // From the signal to the first answer of a grain that had lived there.
  std::optional<double> first_answer_ms() const;

  // Of the grains that lived on the victim, those that answer from elsewhere in the end.
  uint64_t GrainsMoved(const std::map<std::string, v1::Totals>& answers) const;

 private:
  enum class Phase { kWaiting, kReleasing, kStopped, kOver };

  quern::StatusOr<NodeName> ChooseVictim();
  quern::StatusOr<std::string> Strike();
  quern::StatusOr<std::string> Stop();
  quern::StatusOr<std::string> WakeWhenMoved();
  bool HoldsReader(const NodeName& name) const;

  // A batch that another node answered after the victim was struck.
  bool MovedAway(const v1::Move& move) const;

  const DemoOptions& options_;
  Fleet& fleet_;
  Readers& readers_;
  quern::Clock& clock_;
  Phase phase_;
  std::optional<NodeName> victim_;
  std::optional<NodeName> killed_;
  std::optional<NodeName> paused_;
  std::set<std::string> lived_there_;
  std::set<std::string> held_;  // airports with a write that the stopped node has not made
  quern::Time struck_at_;
};

}  // namespace flights

#endif  // QUERN_SAMPLES_FLIGHTS_DISTURBANCE_H_
