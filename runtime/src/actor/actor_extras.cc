// What a cell keeps in its ActorExtras, and the making of it.

#include "actor/actor_extras.h"

#include <memory>
#include <utility>

#include "actor/actor_cell.h"
#include "mailbox/side_mail.h"

namespace quern::internal {
namespace {

// Of those who end without one, and take no child any more.
Family& NoFamily() {
  static Family* const none = [] {
    auto* family = new Family;
    (void)family->children.StopAll();
    return family;
  }();
  return *none;
}

}  // namespace

Family* ActorExtras::FamilyIfAny() const {
  Family* have = family.IfAny();
  return have == &NoFamily() ? nullptr : have;
}

Family* ActorExtras::CloseFamily() {
  Family& closed = family.GetOr(&NoFamily());
  return &closed == &NoFamily() ? nullptr : &closed;
}

void ActorCell::KeepOptions(const SpawnOptions& options, std::unique_ptr<ChosenMailbox> mailbox) {
  SetChosenMailbox(std::move(mailbox));
  SetStash(options.stash_capacity);
  if (options.reentrancy != Reentrancy::kOff || options.asks_in_flight_max != 0) {
    SetReentry(std::make_unique<Reentry>(options.reentrancy, options.asks_in_flight_max));
  }
  if (options.dependencies != nullptr) extras().dependencies = options.dependencies;
  if (!options.supervisor.is_default()) extras().supervisor = options.supervisor;
  if (options.start_tries > 0) extras().start_tries = options.start_tries;
  if (options.start_timeout > Duration::zero()) extras().start_timeout = options.start_timeout;
  if (options.passivate_after > Duration::zero()) {
    extras().passivate_after = options.passivate_after;
    after_message_ = true;
  }
  if (options.passivate_after_messages > 0) {
    extras().passivate_after_messages = options.passivate_after_messages;
    after_message_ = true;
  }
}

void ActorCell::KeepSystemOptions() {
  if (supervisor().policy().fail_on_returned_errors || core().options().eviction.limit != 0) {
    after_message_ = true;
  }
}

Family* ActorCell::family_if_any() const {
  const ActorExtras* have = extras_if_any();
  return have == nullptr ? nullptr : have->FamilyIfAny();
}

Failures& ActorCell::failures() {
  std::unique_ptr<Failures>& mine = extras().failures;
  if (mine == nullptr) mine = std::make_unique<Failures>();
  return *mine;
}

SideMail* ActorCell::side_mail(bool make) {
  ActorExtras* have = extras_if_any();
  if (have == nullptr || have->side_mail == nullptr) {
    if (!make) return nullptr;
    extras().side_mail = std::make_unique<SideMail>();
  }
  return extras().side_mail.get();
}

ActorTimers* ActorCell::Timers(bool make) {
  if (make && stopping()) return nullptr;
  ActorExtras* have = make ? &extras() : extras_if_any();
  if (have == nullptr) return nullptr;
  if (make && have->timers == nullptr) have->timers = std::make_unique<ActorTimers>();
  return have->timers.get();
}

}  // namespace quern::internal
