#include "quern/cluster/membership.h"

#include <algorithm>
#include <utility>

#include "membership/membership_impl.h"
#include "sabotage.h"
#include "view/view_record.h"

namespace quern::cluster {

using internal::Planted;
using internal::ProcessBytes;
using internal::Sabotage;

namespace {

// Every so many renewals the view is read, whatever the watch says: it may be deaf.
constexpr uint64_t kRenewalsPerRefresh = 4;

}  // namespace

Membership::Impl::Impl(MembershipOptions options, ControlPlane& records, ControlPlane& leases,
                       Executor& executor, Clock& clock, Random& random, Logger& logger,
                       MembershipPort* port, MembershipObserver* observer)
    : context_(std::move(options), records, leases, executor, clock, random, logger, port),
      observer_(observer),
      views_(context_,
             [this](const v1::View& record, bool written) { return Learn(record, written); }),
      leases_(context_, [this](const remoting::ProcessId& process) { OnLeaseEnded(process); }),
      witness_(context_,
               [this](const Member& member, const std::string& evidence) {
                 evictor_.Evict({member, evidence, true});
               }),
      evictor_(context_, leases_, views_,
               [this](const internal::Evictor::Case& ended) { OnEvictionFailed(ended); }) {}

Membership::Impl::~Impl() {
  context_.alive.reset();
  view_watch_.reset();
  leases_.Stop();
}

// ---- Joining

void Membership::Impl::Watch() {
  if (view_watch_ != nullptr) return;
  leases_.Start();
  view_watch_ = context_.records.Watch(
      Table::kControl, views_.key(),
      [posted = context_.Posted(std::function([this](WatchEvent event) {
        if (event.kind != WatchEvent::Kind::kPut) return;
        const StatusOr<v1::View> record = internal::ParseViewRecord(event.record.value);
        if (record.ok()) Learn(*record, false);
      }))](const WatchEvent& event) { posted(event); });
}

void Membership::Impl::Join(Duration timeout, Done done) {
  if (phase_ != Phase::kIdle) {
    return done(absl::FailedPreconditionError("join: this member has joined already"));
  }
  phase_ = Phase::kLeasing;
  joined_ = std::move(done);
  join_deadline_ = context_.clock.Now() + timeout;
  join_timer_ = context_.After(timeout, [this] {
    JoinEnded(absl::DeadlineExceededError(
        "join as " + self().node_id + ": " +
        (in_the_way_ ? "a member of that name is still in the view, at " + in_the_way_->address
                     : std::string("the control plane did not answer in time"))));
  });
  Watch();
  lease_ = std::make_unique<internal::LeaseKeeper>(
      context_, internal::LeaseKeeper::Callbacks{
                    [this](Time sent, uint64_t incarnation) { OnRenewed(sent, incarnation); },
                    [this](const Status& why) { OnLeaseLost(why); }});
  lease_->Start();
}

Duration Membership::Impl::JoinTimeLeft() const { return join_deadline_ - context_.clock.Now(); }

void Membership::Impl::Enter() {
  phase_ = Phase::kEntering;
  views_.Change(
      JoinTimeLeft(),
      [this](v1::View* record, bool written_before) { return AddSelf(record, written_before); },
      [this](const Status& status) { OnEntered(status); });
}

StatusOr<bool> Membership::Impl::AddSelf(v1::View* record, bool written_before) {
  const std::string what = "join as " + self().node_id + ": ";
  if (record->control_plane_incarnation() != context_.options.store.number) {
    return absl::FailedPreconditionError(what + "the view is of control plane incarnation " +
                                         std::to_string(record->control_plane_incarnation()) +
                                         ", the store of " +
                                         std::to_string(context_.options.store.number));
  }
  const bool trusting = Planted(Sabotage::kJoinTrustsLastWrite);
  if (const v1::Member* here = internal::FindMember(record, self_process());
      here != nullptr && (!trusting || written_before)) {
    context_.options.self.incarnation = here->incarnation();
    return false;
  }
  if (written_before) {
    // An unanswered write of ours had let us in, and others have removed us since.
    return absl::AbortedError(what + "admitted, and evicted before we heard of it");
  }
  for (const v1::Member& member : record->members()) {
    if (member.node_id() != self().node_id || trusting) continue;
    const View view = internal::ToView(*record);
    in_the_way_ = *view.FindNode(self().node_id);
    return absl::UnavailableError(what + "the view has a member of that name");
  }
  if (static_cast<size_t>(record->members_size()) >= kMembersMax) {
    return absl::ResourceExhaustedError(what + "the view has " + std::to_string(kMembersMax) +
                                        " members");
  }
  in_the_way_.reset();
  context_.options.self.incarnation = record->version() + 1;
  context_.options.self.state = MemberState::kJoining;
  internal::FillMember(self(), record->add_members());
  return true;
}

void Membership::Impl::OnEntered(const Status& status) {
  if (phase_ != Phase::kEntering) return;
  if (status.ok()) {
    phase_ = Phase::kEntered;
    return lease_->SetIncarnation(self().incarnation);
  }
  if (!absl::IsUnavailable(status)) return JoinEnded(status);
  if (in_the_way_) return Blocked();
  context_.After(context_.options.lease.renew_every / 4, [this] {
    if (phase_ == Phase::kEntering) Enter();
  });
}

// A member of our name: it lives, or it is what is left of a predecessor.
void Membership::Impl::Blocked() {
  const internal::SeenLease* seen = leases_.Find(in_the_way_->process_id);
  const int moves = seen == nullptr ? 0 : seen->moves;
  if (moves_in_the_way_ == 0) moves_in_the_way_ = moves + 1;
  if (moves > moves_in_the_way_ + 1) {
    return JoinEnded(absl::AlreadyExistsError("join as " + self().node_id + ": a live member at " +
                                              in_the_way_->address + " has that name"));
  }
  if (witness_.IsGone(*in_the_way_)) {
    evictor_.Evict({*in_the_way_, "its process is gone from this machine", true});
  }
  context_.After(context_.options.lease.renew_every / 4, [this] {
    if (phase_ == Phase::kEntering) Enter();
  });
}

StatusOr<bool> Membership::Impl::SetState(v1::View* record, v1::MemberState state) const {
  v1::Member* here = internal::FindMember(record, self_process());
  if (here == nullptr) return absl::AbortedError(self().node_id + " is not in the view any more");
  if (here->state() == state) return false;
  here->set_state(state);
  return true;
}

void Membership::Impl::BecomeActive() {
  views_.Change(
      JoinTimeLeft(),
      [this](v1::View* record, bool) { return SetState(record, v1::MEMBER_STATE_ACTIVE); },
      [this](const Status& status) {
        if (phase_ != Phase::kEntered) return;
        if (absl::IsUnavailable(status) && JoinTimeLeft() > Duration::zero()) {
          return BecomeActive();
        }
        JoinEnded(status);
      });
}

void Membership::Impl::JoinEnded(const Status& status) {
  if (!joined_) return;
  context_.executor.Cancel(join_timer_);
  const Done done = std::exchange(joined_, nullptr);
  if (status.ok()) {
    phase_ = Phase::kMember;
    context_.options.self.state = MemberState::kActive;
    context_.logger.Log(LogLevel::kInfo, "joined",
                        {{"incarnation", self().incarnation}, {"view", context_.view->version}});
  } else {
    phase_ = Phase::kOut;
    // If a late write still lets us in, the closed lease takes us out again.
    if (lease_ != nullptr) lease_->Close([](const Status&) {});
    views_.Reset(status);
  }
  done(status);
}

// ---- Leaving

void Membership::Impl::Leave(Done done) {
  if (phase_ != Phase::kMember) {
    return done(absl::FailedPreconditionError("leave: not a member of the view"));
  }
  views_.Change(
      context_.options.lease.length,
      [this](v1::View* record, bool) { return SetState(record, v1::MEMBER_STATE_LEAVING); },
      std::move(done));
}

void Membership::Impl::Close(Done done) {
  if (phase_ != Phase::kMember && phase_ != Phase::kEntered) {
    return done(absl::FailedPreconditionError("close: not a member of the view"));
  }
  phase_ = Phase::kClosing;
  serving_until_ = Time::min();
  observer_->OnServingUntil(serving_until_);
  views_.Change(
      context_.options.lease.length,
      [this](v1::View* record, bool) -> StatusOr<bool> {
        auto* members = record->mutable_members();
        const auto mine = std::ranges::find(*members, ProcessBytes(self_process()),
                                            [](const v1::Member& m) { return m.process_id(); });
        if (mine == members->end()) return false;
        members->erase(mine);
        return true;
      },
      [this, done = std::move(done)](const Status& status) {
        phase_ = Phase::kOut;
        lease_->Close(
            [status, done](const Status& closed) { done(status.ok() ? closed : status); });
      });
}

void Membership::Impl::Rejoin(Member self, Duration timeout, Done done) {
  if (phase_ != Phase::kOut) {
    return done(absl::FailedPreconditionError("rejoin: this incarnation is not over"));
  }
  context_.alive = std::make_shared<const int>(0);
  views_.Reset(absl::CancelledError("a new incarnation begins"));
  witness_.Reset();
  evictor_.Reset();
  view_watch_.reset();
  leases_.Stop();
  proved_evictions_.clear();
  in_the_way_.reset();
  moves_in_the_way_ = 0;
  fetching_ = activating_ = false;
  self.incarnation = 0;
  self.state = MemberState::kJoining;
  context_.options.self = std::move(self);
  phase_ = Phase::kIdle;
  Join(timeout, std::move(done));
}

// ---- The lease

void Membership::Impl::OnRenewed(Time sent, uint64_t incarnation) {
  const Time until = sent + context_.options.lease.fence_at;
  if (phase_ != Phase::kClosing && until > serving_until_) {
    serving_until_ = until;
    observer_->OnServingUntil(until);
    WarnWhenFenced();
  }
  leases_.OnOwnRenewal();
  if (phase_ == Phase::kLeasing) return Enter();
  if (phase_ == Phase::kEntered && incarnation == self().incarnation && !activating_) {
    activating_ = true;
    BecomeActive();
  }
  if (phase_ == Phase::kMember || phase_ == Phase::kEntering) EvictTheSilent();
  if (++renewals_ % kRenewalsPerRefresh == 0) Fetch();
}

void Membership::Impl::WarnWhenFenced() {
  context_.executor.Cancel(fence_timer_);
  fence_timer_ = context_.After(serving_until_ - context_.clock.Now(), [this] {
    if (phase_ != Phase::kMember) return;
    context_.logger.Log(LogLevel::kWarn, "fenced: the lease could not be renewed",
                        {{"incarnation", self().incarnation}});
  });
}

void Membership::Impl::OnLeaseLost(const Status& why) { Out(why); }

void Membership::Impl::OnLeaseEnded(const remoting::ProcessId& process) {
  if (process == self_process()) return;  // our next renewal will say it
  const Member* member = view() == nullptr ? nullptr : view()->Find(process);
  if (member == nullptr || phase_ != Phase::kMember) return;
  evictor_.Evict({*member, "its lease has ended", false});
}

// Who is still entering looks after the one that is in its way alone: of a cluster that was
// restarted as a whole nobody else may be left.
void Membership::Impl::EvictTheSilent() {
  if (view() == nullptr) return;
  for (const Member& member : view()->members) {
    if (member.process_id == self_process()) continue;
    const bool in_the_way = in_the_way_ && in_the_way_->process_id == member.process_id;
    if (phase_ == Phase::kEntering && !in_the_way) continue;
    const internal::SeenLease* seen = leases_.Find(member.process_id);
    if (seen == nullptr) continue;
    const bool ended = seen->revision != 0 && seen->record.state() != v1::Lease::STATE_LIVE;
    if (ended) {
      evictor_.Evict({member, "its lease has ended", false});
    } else if (seen->silent >= context_.options.lease.length) {
      evictor_.Evict({member, "its lease did not move", false});
    }
  }
}

void Membership::Impl::OnEvictionFailed(const internal::Evictor::Case& ended) {
  context_.logger.Log(LogLevel::kInfo, "eviction given up: the member has renewed its lease",
                      {{"node", ended.victim.node_id}, {"evidence", ended.evidence}});
  int& tries = proved_evictions_[ended.victim.process_id];
  if (ended.proved && ++tries < kProvedEvictionsMax) witness_.Recheck(ended.victim.process_id);
}

void Membership::Impl::Out(const Status& why) {
  if (phase_ == Phase::kOut || phase_ == Phase::kClosing) return;
  phase_ = Phase::kOut;
  lease_->Stop();
  evictor_.Reset();
  serving_until_ = Time::min();
  observer_->OnServingUntil(serving_until_);
  views_.Reset(why);
  if (joined_) return JoinEnded(absl::AbortedError(why.message()));
  context_.logger.Log(LogLevel::kWarn, "out of the view", {{"why", std::string(why.message())}});
  observer_->OnEvicted(why);
}

// ---- The public face

Membership::Membership(MembershipOptions options, ControlPlane& records, ControlPlane& leases,
                       Executor& executor, Clock& clock, Random& random, Logger& logger,
                       MembershipPort* port, MembershipObserver* observer)
    : impl_(std::make_unique<Impl>(std::move(options), records, leases, executor, clock, random,
                                   logger, port, observer)) {}
Membership::~Membership() = default;

void Membership::Join(Duration timeout, Done done) { impl_->Join(timeout, std::move(done)); }
void Membership::Leave(Done done) { impl_->Leave(std::move(done)); }
void Membership::Close(Done done) { impl_->Close(std::move(done)); }
void Membership::Rejoin(Member self, Duration timeout, Done done) {
  impl_->Rejoin(std::move(self), timeout, std::move(done));
}
ViewPtr Membership::view() const { return impl_->view(); }
const Member& Membership::self() const { return impl_->self(); }
Time Membership::serving_until() const { return impl_->serving_until(); }
bool Membership::frozen() const { return impl_->frozen(); }
void Membership::OnHigherVersion(uint64_t version) { impl_->OnHigherVersion(version); }
void Membership::OnMessage(const remoting::NodeIdentity& from, const remoting::SystemBody& body) {
  impl_->OnMessage(from, body);
}
void Membership::OnSessionUp(const remoting::NodeIdentity& peer) { impl_->OnSessionUp(peer); }
void Membership::OnSessionDown(const remoting::SessionEnd& end) { impl_->OnSessionDown(end); }

}  // namespace quern::cluster
