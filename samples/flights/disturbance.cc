#include "flights/disturbance.h"

#include <signal.h>

#include <algorithm>
#include <utility>

#include "flights/limits.h"
#include "flights/report.h"

namespace flights {

Disturbance::Disturbance(const DemoOptions& options, Fleet& fleet, Readers& readers,
                         quern::Clock& clock)
    : options_(options),
      fleet_(fleet),
      readers_(readers),
      clock_(clock),
      phase_(options.no_kill ? Phase::kOver : Phase::kWaiting) {}

quern::Status Disturbance::Check() const {
  for (const auto& [option, name] :
       {std::pair("--kill", options_.kill), std::pair("--pause", options_.pause)}) {
    if (!name || !HoldsReader(*name)) continue;
    return absl::InvalidArgumentError(std::string(option) + " " + name->ToString() +
                                      ": a reader lives there, and readers are not restarted; " +
                                      "choose a node without one" +
                                      (options_.nodes == 1 ? " (--nodes 2 or more)" : ""));
  }
  return absl::OkStatus();
}

quern::StatusOr<std::string> Disturbance::Step() {
  switch (phase_) {
    case Phase::kWaiting:
      if (2 * readers_.answered() < readers_.planned()) return std::string();
      return options_.pause ? Stop() : Strike();
    case Phase::kReleasing:
      if (readers_.Release().ok()) phase_ = Phase::kOver;
      return std::string();
    case Phase::kStopped:
      return WakeWhenMoved();
    case Phase::kOver:
      break;
  }
  return std::string();
}

bool Disturbance::HoldsReader(const NodeName& name) const {
  const std::vector<std::string> nodes = readers_.nodes();
  return std::find(nodes.begin(), nodes.end(), name.ToString()) != nodes.end();
}

quern::StatusOr<NodeName> Disturbance::ChooseVictim() {
  std::optional<NodeName> most;
  for (const NodeName& name : fleet_.Running()) {
    const std::optional<NodeName>& wanted = options_.pause ? options_.pause : options_.kill;
    if (HoldsReader(name) || (wanted && name != *wanted)) continue;
    auto stats = fleet_.Ask(name, v1::ToNode::COMMAND_STATS, v1::FromNode::kStats, kControlTimeout);
    if (!stats.ok()) return stats.status();
    const auto& airports = stats->stats().airports();
    if (most && airports.size() <= static_cast<int>(lived_there_.size())) continue;
    most = name;
    lived_there_ = std::set<std::string>(airports.begin(), airports.end());
  }
  if (!most) return absl::NotFoundError("every node holds a reader");
  return *most;
}

quern::StatusOr<std::string> Disturbance::Strike() {
  const auto victim = ChooseVictim();
  if (absl::IsNotFound(victim.status())) {
    phase_ = Phase::kReleasing;
    return std::string("nothing to kill: every node holds a reader (--nodes 2 or more)\n");
  }
  if (!victim.ok()) return victim.status();
  victim_ = killed_ = *victim;
  // Released first: the kill meets batches on their way.
  phase_ = readers_.Release().ok() ? Phase::kOver : Phase::kReleasing;
  struck_at_ = clock_.Now();
  fleet_.Kill(*victim);
  return "kill " + victim->ToString() + " (SIGKILL)   " + WithCommas(lived_there_.size()) +
         " grains lived there\n";
}

quern::StatusOr<std::string> Disturbance::Stop() {
  const auto victim = ChooseVictim();
  if (!victim.ok()) return victim.status();
  victim_ = paused_ = *victim;
  // One answer is empty and says that writes are held from now on; the others name one that is.
  auto held = fleet_.Ask(*victim, v1::ToNode::COMMAND_HOLD_WRITES, v1::FromNode::kWritesHeld,
                         kControlTimeout);
  if (!held.ok()) return held.status();
  if (quern::Status released = readers_.Release(); !released.ok()) return released;
  while (held->writes_held().airports().empty()) {
    held = fleet_.Await(*victim, v1::FromNode::kWritesHeld, kControlTimeout);
    if (!held.ok()) return held.status();
  }
  held_.insert(held->writes_held().airports().begin(), held->writes_held().airports().end());
  struck_at_ = clock_.Now();
  if (quern::Status stopped = fleet_.Signal(*victim, SIGSTOP); !stopped.ok()) return stopped;
  phase_ = Phase::kStopped;
  return "stop " + victim->ToString() + " (SIGSTOP)   " + WithCommas(lived_there_.size()) +
         " grains lived there, a write of " + *held_.begin() + " under way\n";
}

bool Disturbance::MovedAway(const v1::Move& move) const {
  return victim_ && move.to_node() != victim_->ToString() &&
         move.answered_at_ns() >= struck_at_.time_since_epoch().count();
}

quern::StatusOr<std::string> Disturbance::WakeWhenMoved() {
  std::set<std::string> waiting = held_;
  for (const v1::Move& move : readers_.moves()) {
    if (MovedAway(move)) waiting.erase(move.airport());
  }
  if (!waiting.empty()) {
    if (clock_.Now() - struck_at_ < kMoveTimeout) return std::string();
    return absl::DeadlineExceededError("the grain of " + *waiting.begin() +
                                       " did not move away from " + victim_->ToString());
  }
  const double seconds = std::chrono::duration<double>(clock_.Now() - struck_at_).count();
  if (quern::Status status = fleet_.Signal(*victim_, SIGCONT); !status.ok()) return status;
  if (quern::Status status = fleet_.Tell(*victim_, v1::ToNode::COMMAND_RELEASE_WRITES);
      !status.ok()) {
    return status;
  }
  phase_ = Phase::kOver;
  return "wake " + victim_->ToString() + " (SIGCONT)   after " + Decimal(seconds, 2) +
         " s, its grains live elsewhere; its late writes go out now\n";
}

std::optional<double> Disturbance::first_answer_ms() const {
  std::optional<double> first;
  for (const v1::Move& move : readers_.moves()) {
    if (!MovedAway(move) || !lived_there_.contains(move.airport())) continue;
    const int64_t ns = move.answered_at_ns() - struck_at_.time_since_epoch().count();
    const double ms = static_cast<double>(ns) / 1e6;
    if (!first || ms < *first) first = ms;
  }
  return first;
}

uint64_t Disturbance::GrainsMoved(const std::map<std::string, v1::Totals>& answers) const {
  uint64_t moved = 0;
  for (const std::string& airport : lived_there_) {
    const auto found = answers.find(airport);
    if (found != answers.end() && found->second.node() != victim_->ToString()) ++moved;
  }
  return moved;
}

}  // namespace flights
