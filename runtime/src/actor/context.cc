#include "quern/runtime/context.h"

#include "actor/actor_cell.h"
#include "actor/mailbox_cell.h"
#include "actor/turn.h"
#include "mailbox/envelope_extra.h"
#include "scheduler/waiter.h"
#include "scheduler/worker.h"
#include "system/system_core.h"

namespace quern {

std::string Context::path() const { return turn_->cell->Path(); }

uint64_t Context::sender_id() const {
  return turn_->envelope == nullptr ? 0 : internal::SenderIdOf(*turn_->envelope);
}

Time Context::deadline() const { return turn_->deadline; }

uint64_t Context::restarts() const {
  auto* actor = internal::AsActor(turn_->cell);
  return actor == nullptr ? 0 : actor->restarts();
}

void Context::PausePassivation() {
  auto* actor = internal::AsActor(turn_->cell);
  if (actor != nullptr) actor->PausePassivation(true);
}

void Context::ResumePassivation() {
  auto* actor = internal::AsActor(turn_->cell);
  if (actor != nullptr) actor->PausePassivation(false);
}

std::vector<std::string> Context::children() const {
  std::vector<std::string> names;
  auto* actor = internal::AsActor(turn_->cell);
  if (actor == nullptr) return names;
  for (const auto& child : actor->LivingChildren()) names.emplace_back(child->name().text());
  return names;
}

std::string Context::parent_path() const {
  auto* actor = internal::AsActor(turn_->cell);
  return actor == nullptr ? std::string() : actor->parent()->Path();
}

void Context::Stop() { turn_->cell->RequestStop(); }

Status Context::Sleep(Duration duration) {
  const Time due = turn_->worker->ReadClock() + duration;
  internal::Waiter waiter;
  if (waiter.Wait(due, /*cancellable=*/true) == internal::Waiter::Outcome::kTimedOut) {
    return absl::OkStatus();
  }
  return WithReason(absl::CancelledError(path() + " is stopping"), Reason::kCancelled);
}

Clock& Context::clock() const { return core()->clock(); }
Logger& Context::logger() const { return core()->logger(); }
Random& Context::random() const { return core()->random(); }

internal::SystemCore* Context::core() const { return turn_->cell->system_core(); }
const Extensions* Context::own_dependencies() const {
  auto* actor = internal::AsActor(turn_->cell);
  return actor == nullptr ? nullptr : actor->dependencies();
}
const Extensions& Context::system_extensions() const { return core()->options().extensions; }
internal::Cell* Context::cell() const { return turn_->cell; }

namespace internal {

StatusOr<CellPtr<Cell>> SpawnActor(SystemCore* core, Cell* parent, const SpawnRequest& request) {
  if (core->stopped()) return absl::UnavailableError("spawn: the system has stopped");
  // What a grain spawns stands under the root: activations have no children.
  auto* actor = AsActor(parent);
  if (actor != nullptr && actor->stopping()) {
    return absl::UnavailableError("spawn: " + actor->Path() + " is stopping");
  }
  // Held: another thread may be ending the system.
  const CellPtr<ActorCell> root = actor != nullptr ? CellPtr<ActorCell>() : core->SharedRoot();
  if (actor == nullptr && !root) return absl::UnavailableError("spawn: the system has stopped");
  auto cell = ActorCell::Spawn(actor != nullptr ? actor : root.get(), request);
  if (!cell.ok()) return cell.status();
  return CellPtr<Cell>::Adopt(cell->release());
}

}  // namespace internal
}  // namespace quern
