// What a Membership hears about the view, and whom it tells.

#include <algorithm>
#include <utility>

#include "membership/membership_impl.h"
#include "view/view_record.h"

namespace quern::cluster {

bool Membership::Impl::Learn(const v1::View& record, bool written_here) {
  const ViewPtr before = context_.view;
  if (before != nullptr && record.version() < before->version) return true;  // a stale read
  if (before != nullptr && !Descends(record)) {
    Freeze(absl::FailedPreconditionError("view " + std::to_string(record.version()) +
                                         " in the control plane does not descend from " +
                                         std::to_string(before->version) +
                                         " here: it has lost writes"));
    return false;
  }
  if (before != nullptr && record.version() == before->version) return true;
  const bool continuous = before != nullptr && record.version() == before->version + 1;
  context_.view = std::make_shared<const View>(internal::ToView(record));
  if (written_here) Push(record, before.get());
  leases_.Track(*context_.view,
                in_the_way_ ? std::optional(in_the_way_->process_id) : std::nullopt);
  witness_.OnView(*context_.view);
  std::erase_if(proved_evictions_,
                [this](const auto& entry) { return context_.view->Find(entry.first) == nullptr; });
  const ViewPtr told = context_.view;
  const Member* self_now = told->Find(self_process());
  if (self_now != nullptr) context_.options.self.state = self_now->state;
  const bool removed =
      self_now == nullptr && (phase_ == Phase::kMember || phase_ == Phase::kEntered);
  if (removed) {
    serving_until_ = Time::min();
    observer_->OnServingUntil(serving_until_);
  }
  observer_->OnView(told, continuous);
  if (removed) {
    Out(absl::AbortedError("view " + std::to_string(told->version) +
                           " does not have this incarnation"));
  }
  return true;
}

// Parents can be followed as far as the ring of past writes reaches: every view's id is the nonce
// of the write that made it. Beyond that we have to believe.
bool Membership::Impl::Descends(const v1::View& record) const {
  const View& known = *context_.view;
  if (record.version() == known.version) return record.id() == known.id;
  if (record.version() == known.version + 1) return record.parent_id() == known.id;
  const auto& ring = record.recent_writes();
  const auto ancestor = std::ranges::find(ring, known.version,
                                          [](const v1::WriteMark& mark) { return mark.version(); });
  return ancestor == ring.end() || ancestor->nonce() == known.id;
}

void Membership::Impl::Freeze(const Status& why) {
  if (std::exchange(frozen_, true)) return;
  context_.logger.Log(LogLevel::kError, "claims frozen", {{"why", std::string(why.message())}});
  observer_->OnFrozen(why);
}

// To all who are in it, and to those who are not any more: an evicted member that hears of it
// fences at once.
void Membership::Impl::Push(const v1::View& record, const View* before) {
  v1::ViewPushed message;
  *message.mutable_view() = record;
  const remoting::SystemBody body{v1::ViewPushed::descriptor()->full_name(),
                                  message.SerializeAsString()};
  for (const Member& member : context_.view->members) {
    if (member.process_id != self_process()) context_.port->SendToMember(member.peer(), body);
  }
  if (before == nullptr) return;
  for (const Member& member : before->members) {
    const bool removed = context_.view->Find(member.process_id) == nullptr;
    if (removed && member.process_id != self_process()) {
      context_.port->SendToMember(member.peer(), body);
    }
  }
}

void Membership::Impl::OnHigherVersion(uint64_t version) {
  if (view() != nullptr && version <= view()->version) return;
  wanted_version_ = std::max(wanted_version_, version);
  fetches_ = 0;
  Fetch();
}

void Membership::Impl::Fetch() {
  if (std::exchange(fetching_, true)) return;
  context_.records.Get(
      Table::kControl, views_.key(), context_.options.record_timeout,
      context_.Posted(std::function([this](StatusOr<Record> read) {
        fetching_ = false;
        if (read.ok()) {
          const StatusOr<v1::View> record = internal::ParseViewRecord(read->value);
          if (record.ok()) {
            Learn(*record, false);
          } else {
            context_.logger.Log(LogLevel::kWarn, "view record ignored",
                                {{"why", std::string(record.status().message())}});
          }
        }
        const bool enough = view() != nullptr && view()->version >= wanted_version_;
        if (enough || ++fetches_ >= kViewFetchesMax || phase_ == Phase::kOut) return;
        context_.After(context_.options.lease.renew_every / 16, [this] { Fetch(); });
      })));
}

void Membership::Impl::OnMessage(const remoting::NodeIdentity& from,
                                 const remoting::SystemBody& body) {
  v1::ViewPushed pushed;
  v1::ExitWitnessed witnessed;
  if (body.type == v1::ViewPushed::descriptor()->full_name() &&
      pushed.ParseFromString(body.bytes) && internal::CheckViewRecord(pushed.view()).ok()) {
    Learn(pushed.view(), false);
    return;
  }
  if (body.type == v1::ExitWitnessed::descriptor()->full_name() &&
      witnessed.ParseFromString(body.bytes)) {
    OnHigherVersion(witnessed.view_version());
    return witness_.OnWitness(from, witnessed);
  }
  context_.logger.Log(LogLevel::kWarn, "malformed message ignored",
                      {{"type", body.type}, {"from", from.node_id}});
}

bool Membership::Handles(std::string_view type) {
  return type == v1::ViewPushed::descriptor()->full_name() ||
         type == v1::ExitWitnessed::descriptor()->full_name();
}

}  // namespace quern::cluster
