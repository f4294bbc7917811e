#include "directory/finder.h"

#include <algorithm>
#include <string>
#include <utility>

#include "view/view_record.h"

namespace quern::cluster::internal {
namespace {

// Answers that asking again cannot change; all others are retried until the deadline.
bool IsFinal(const Status& status) {
  return !absl::IsUnavailable(status) && !absl::IsDeadlineExceeded(status) &&
         !absl::IsAborted(status) && !absl::IsResourceExhausted(status) &&
         !absl::IsDataLoss(status);
}

}  // namespace

void GrainFinder::Locate(const GrainId& id, const Epoch& stale, Time deadline,
                         Directory::LocateDone done) {
  if (waiting_ >= core_.options.locates_waiting_max) {
    return Later(std::move(done),
                 absl::ResourceExhaustedError("locate " + id.ToString() + ": " +
                                              std::to_string(waiting_) + " locates wait already"));
  }
  const auto [found, is_new] = searches_.try_emplace(id);
  Search& search = found->second;
  search.stale = std::max(search.stale, stale);
  search.callers.push_back({deadline, std::move(done)});
  ++waiting_;
  if (deadline != kNever) {
    search.callers.back().timer =
        core_.After(deadline - core_.clock.Now(), [this, id] { Expire(id); });
  }
  if (is_new) Try(id);
}

void GrainFinder::Try(const GrainId& id) {
  Search& search = searches_.find(id)->second;
  const Member* owner =
      core_.view == nullptr ? nullptr : core_.map.Owner(PartitionOf(id, *core_.view));
  if (owner == nullptr) return RetryLater(id, search);
  search.asking = owner->process_id;
  v1::LocateRequest request;
  request.set_view_version(core_.version());
  *request.mutable_grain() = ToWire(id);
  if (!search.stale.IsZero()) *request.mutable_stale_epoch() = ToWire(search.stale);
  const uint64_t attempt = ++search.attempt;
  core_.Call<v1::LocateReply>(owner->peer(), request, core_.options.call_timeout,
                              [this, id, attempt](const StatusOr<v1::LocateReply>& reply) {
                                const auto still = searches_.find(id);
                                if (still == searches_.end()) return;
                                if (still->second.attempt == attempt) OnReply(id, reply);
                              });
}

void GrainFinder::OnReply(const GrainId& id, const StatusOr<v1::LocateReply>& reply) {
  Search& search = searches_.find(id)->second;
  search.asking = {};
  if (!reply.ok()) {
    if (IsFinal(reply.status())) return Finish(id, reply.status());
    search.last = reply.status();
    // Whoever answers that it is not the owner may know a newer view.
    if (absl::IsAborted(search.last)) core_.port->FetchView(core_.version() + 1);
    return RetryLater(id, search);
  }
  const StatusOr<remoting::ProcessId> process = ProcessFromBytes(reply->activation().process_id());
  if (!process.ok()) {
    search.last = process.status();
    return RetryLater(id, search);
  }
  Finish(id, Location{{reply->activation().address(), *process},
                      FromWire(reply->activation().epoch()),
                      *process == core_.self});
}

void GrainFinder::RetryLater(const GrainId& id, Search& search) {
  search.asking = {};
  const uint64_t attempt = ++search.attempt;
  core_.After(core_.NextBackoff(&search.backoff), [this, id, attempt] {
    const auto still = searches_.find(id);
    if (still != searches_.end() && still->second.attempt == attempt) Try(id);
  });
}

void GrainFinder::Finish(const GrainId& id, const StatusOr<Location>& result) {
  auto node = searches_.extract(id);
  waiting_ -= node.mapped().callers.size();
  for (Caller& caller : node.mapped().callers) {
    core_.executor.Cancel(caller.timer);
    caller.done(result);
  }
}

void GrainFinder::Later(Directory::LocateDone done, StatusOr<Location> result) {
  core_.After(Duration::zero(),
              [done = std::move(done), result = std::move(result)] { done(result); });
}

void GrainFinder::Expire(const GrainId& id) {
  const auto found = searches_.find(id);
  if (found == searches_.end()) return;
  Search& search = found->second;
  const Time now = core_.clock.Now();
  const auto late = std::ranges::stable_partition(
      search.callers, [now](const Caller& caller) { return caller.deadline > now; });
  std::vector<Caller> gone(std::make_move_iterator(late.begin()),
                           std::make_move_iterator(late.end()));
  search.callers.erase(late.begin(), late.end());
  waiting_ -= gone.size();
  const Status status =
      absl::UnavailableError("locate " + id.ToString() + ": not found by the deadline; last: " +
                             std::string(search.last.message()));
  if (search.callers.empty()) searches_.erase(found);
  for (Caller& caller : gone) caller.done(status);
}

void GrainFinder::OnView() {
  std::vector<GrainId> ids;
  for (const auto& [id, search] : searches_) {
    const Member* owner = core_.map.Owner(PartitionOf(id, *core_.view));
    if (owner != nullptr && owner->process_id != search.asking) ids.push_back(id);
  }
  for (const GrainId& id : ids) {
    searches_.find(id)->second.backoff = {};
    Try(id);
  }
}

// Callers wait on: the next view has an owner for them too.
void GrainFinder::Reset() {
  for (auto& [id, search] : searches_) {
    search.asking = {};
    ++search.attempt;
    for (Caller& caller : search.callers) {
      if (caller.deadline == kNever) continue;
      caller.timer =
          core_.After(caller.deadline - core_.clock.Now(), [this, lost = id] { Expire(lost); });
    }
  }
}

}  // namespace quern::cluster::internal
