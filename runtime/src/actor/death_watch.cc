#include "actor/death_watch.h"

#include <memory>
#include <utility>

#include <absl/strings/str_cat.h>

#include "actor/actor_cell.h"
#include "actor/message_loop.h"
#include "actor/turn.h"
#include "quern/runtime/death_watch.h"
#include "quern/runtime/limits.h"

namespace quern::internal {
namespace {

Status NotAnActor(const Cell& cell) {
  return absl::FailedPreconditionError(
      absl::StrCat("watch ", cell.Path(), ": only actors of this process watch and are watched"));
}

}  // namespace

Status WatchActor(Turn& turn, Cell* watched) {
  if (watched == nullptr) return absl::NotFoundError("watch: the Ref is empty");
  auto* watcher = AsActor(turn.cell);
  if (watcher == nullptr) return NotAnActor(*turn.cell);
  auto* target = AsActor(watched);
  if (target == nullptr) return NotAnActor(*watched);
  return watcher->Watch(target);
}

void UnwatchActor(Turn& turn, Cell* watched) {
  auto* watcher = AsActor(turn.cell);
  auto* target = AsActor(watched);
  if (watcher != nullptr && target != nullptr) watcher->Unwatch(target);
}

Status ActorCell::Watch(ActorCell* target) {
  if (target == this) return absl::InvalidArgumentError("an actor cannot watch itself");
  std::unique_ptr<CellsById>& mine = extras().watching;
  if (mine == nullptr) mine = std::make_unique<CellsById>();
  CellsById& watching = *mine;
  if (watching.count(target->id()) != 0) return absl::OkStatus();
  if (watching.size() >= kWatchesPerActorMax) {
    return absl::ResourceExhaustedError(
        absl::StrCat(Path(), " watches ", kWatchesPerActorMax, " actors already"));
  }
  watching.emplace(target->id(), CellPtr<ActorCell>::Share(target));
  // One that never had a watcher does not look for any once it has closed: whoever finds it closed
  // afterwards tells itself.
  if (target->closed()) {
    target->TellTerminated(*this);
    return absl::OkStatus();
  }
  Watchers& watchers = target->extras().watchers.Get();
  if (!watchers.Add(id(), CellPtr<ActorCell>::Share(this)) ||
      (target->ClosedInOrder() && watchers.Remove(id()))) {
    target->TellTerminated(*this);
  }
  return absl::OkStatus();
}

void ActorCell::Unwatch(ActorCell* target) {
  ActorExtras* have = extras_if_any();
  if (have != nullptr && have->watching != nullptr && have->watching->erase(target->id()) != 0) {
    target->Forget(*this);
  }
}

void ActorCell::UnwatchAll() {
  ActorExtras* have = extras_if_any();
  if (have == nullptr || have->watching == nullptr) return;
  for (const auto& [target_id, target] : std::exchange(*have->watching, {})) {
    target->Forget(*this);
  }
}

void ActorCell::Forget(const ActorCell& watcher) {
  ActorExtras* have = extras_if_any();
  Watchers* watchers = have == nullptr ? nullptr : have->watchers.IfAny();
  if (watchers != nullptr) watchers->Remove(watcher.id());
}

void ActorCell::TellTerminated(ActorCell& watcher) const {
  Envelope* envelope =
      MakeEnvelope<TerminatedSignature>(0, /*ask=*/false, Terminated{Path(), id()});
  envelope->sender_id = id();
  watcher.PostPastBounds(envelope);
}

void ActorCell::TellWatchers() {
  for (const auto& [watcher_id, watcher] : extras().watchers.Get().End()) {
    TellTerminated(*watcher);
  }
}

After ActorCell::OnTerminated(Turn& turn, Envelope* envelope) {
  const auto& terminated = *static_cast<const Terminated*>(envelope->message());
  // An Unwatch() or a restart may have overtaken it.
  CellsById* watching = extras().watching.get();
  if (watching == nullptr || watching->erase(terminated.id) == 0 ||
      actor_class().on_terminated == nullptr) {
    FinishEnvelope(envelope);
    return After::kGoOn;
  }
  const Failed why = RunMessage(turn, envelope, actor_class().on_terminated, object());
  return why == nullptr ? After::kGoOn : Fail(turn, *why);
}

}  // namespace quern::internal
