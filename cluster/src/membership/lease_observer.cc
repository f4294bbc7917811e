#include "membership/lease_observer.h"

#include <algorithm>
#include <utility>

#include "view/view_record.h"

namespace quern::cluster::internal {

void LeaseObserver::Start() {
  watch_ = context_.records.Watch(Table::kLease, context_.keys.Prefix("lease"),
                                  [posted = context_.Posted(std::function([this](WatchEvent event) {
                                    if (event.kind == WatchEvent::Kind::kPut) Note(event.record);
                                  }))](const WatchEvent& event) { posted(event); });
}

void LeaseObserver::Note(const Record& record) {
  v1::Lease lease;
  if (!lease.ParseFromString(record.value)) return;
  const StatusOr<remoting::ProcessId> process = ProcessFromBytes(lease.process_id());
  if (!process.ok() || record.key != context_.keys.Key("lease", ProcessHex(*process))) return;
  const auto [found, is_new] = seen_.try_emplace(*process);
  SeenLease& seen = found->second;
  if (record.revision <= seen.revision) return;
  if (!is_new) ++seen.moves;
  seen.record = std::move(lease);
  seen.revision = record.revision;
  seen.moved_at = context_.clock.Now();
  seen.silent = {};
  if (seen.record.state() != v1::Lease::STATE_LIVE) ended_(*process);
}

void LeaseObserver::Track(const View& view, const std::optional<remoting::ProcessId>& also) {
  for (const Member& member : view.members) {
    const auto [found, is_new] = seen_.try_emplace(member.process_id);
    if (is_new) found->second.moved_at = context_.clock.Now();
  }
  std::erase_if(seen_, [&](const auto& entry) {
    return entry.second.record.state() != v1::Lease::STATE_LIVE &&
           view.Find(entry.first) == nullptr && also != entry.first;
  });
}

void LeaseObserver::OnOwnRenewal() {
  const Time now = context_.clock.Now();
  const std::optional<Time> before = std::exchange(last_own_renewal_, now);
  // Longer apart, and we may have been the one that was cut off or paused.
  const LeaseTimes& times = context_.options.lease;
  if (!before || now - *before > 2 * times.renew_every + times.renew_timeout) return;
  for (auto& [process, seen] : seen_) {
    seen.silent += std::max(now - std::max(*before, seen.moved_at), Duration::zero());
  }
  // Of processes that died before they were members nothing more will ever be heard.
  std::erase_if(seen_, [&](const auto& entry) {
    const bool is_member = context_.view != nullptr && context_.view->Find(entry.first) != nullptr;
    return !is_member && entry.second.silent > kForgottenAfterLengths * times.length;
  });
}

const SeenLease* LeaseObserver::Find(const remoting::ProcessId& process) const {
  const auto found = seen_.find(process);
  return found == seen_.end() ? nullptr : &found->second;
}

}  // namespace quern::cluster::internal
