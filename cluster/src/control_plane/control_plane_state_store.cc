#include "quern/cluster/control_plane_state_store.h"

#include <utility>

#include "state_operation.h"

namespace quern::cluster {
namespace {

// Reads and rewrites the record under the new epoch until it wins. The nonce stays the same through
// all tries: whichever of them is applied, the claim is ours.
class ClaimOperation : public StateOperation {
 public:
  ClaimOperation(std::shared_ptr<Core> core, const GrainId& id, const Epoch& epoch,
                 Duration timeout, std::function<void(StatusOr<ClaimedState>)> done)
      : StateOperation(std::move(core), "claim", id, epoch, timeout), done_(std::move(done)) {}

  void Start() { Read(); }

 private:
  void OnRead(GrainStateRecord record) override {
    if (record.revision() != 0 && record.nonce() == nonce_) return Granted(record);
    if (epoch_ < record.epoch()) return Fail(Refused(record.epoch()));
    if (refused_ && record.revision() == tried_at_) {  // the read is older than the refusal
      return Later([this] { Read(); });
    }
    tried_at_ = record.revision();
    refused_ = false;
    offered_ = record.ClaimedBy(epoch_, nonce_, core_->options.writer);
    Offer(offered_, tried_at_);
  }

  void OnOffered(const CasResult& result) override {
    if (result.outcome == CasOutcome::kApplied) {
      offered_.set_revision(result.revision);
      return Granted(offered_);
    }
    if (result.outcome == CasOutcome::kUnsent) return Later([this] { Read(); });
    Read();
  }

  void Granted(const GrainStateRecord& record) {
    core_->Remember(id_, record);
    done_(ClaimedState{{id_, epoch_, record.revision()}, record.exists(), record.snapshot()});
  }

  void Fail(Status status) override { done_(std::move(status)); }

  const std::function<void(StatusOr<ClaimedState>)> done_;
  uint64_t tried_at_ = 0;
  GrainStateRecord offered_;
};

// One compare-and-set at the claim's revision. A refusal ends it; only an answer that was lost is
// followed by the same write at the same revision, which can win only once.
class WriteOperation : public StateOperation {
 public:
  WriteOperation(std::shared_ptr<Core> core, const StateClaim& claim,
                 std::optional<StateSnapshot> snapshot, Duration timeout,
                 std::function<void(StatusOr<StateClaim>)> done)
      : StateOperation(std::move(core), snapshot ? "save" : "clear", claim.id, claim.epoch,
                       timeout),
        expected_(claim.revision),
        snapshot_(std::move(snapshot)),
        done_(std::move(done)) {}

  void Start() {
    const std::optional<GrainStateRecord> base = core_->Base(id_, expected_);
    if (base.has_value()) return OfferOver(*base);
    Read();
  }

 private:
  void OfferOver(const GrainStateRecord& base) {
    offered_ = snapshot_ ? base.Saved(epoch_, nonce_, core_->options.writer, *snapshot_)
                         : base.Cleared(epoch_, nonce_, core_->options.writer);
    has_offer_ = true;
    Offer(offered_, expected_);
  }

  void OnRead(GrainStateRecord record) override {
    if (expected_ == 0 || record.revision() == 0) return Fail(Refused(record.epoch()));
    switch (record.SettleWrite({.expected = expected_, .version = expected_, .nonce = nonce_})) {
      case Settled::kApplied:
        return Applied(record.revision());
      case Settled::kOverwritten:
        // Written, then claimed by another: true to say, and the next write is refused.
        core_->Forget(id_);
        return done_(StateClaim{id_, epoch_, expected_});
      case Settled::kNotApplied:
        return Fail(Refused(record.epoch()));
      case Settled::kForgotten:
        if (in_doubt_) {
          return Fail(absl::DeadlineExceededError(Tried() + ": outcome unknown; stored epoch " +
                                                  record.epoch().ToString()));
        }
        return Fail(Refused(record.epoch()));
      case Settled::kStale:
        return Later([this] { Read(); });
      case Settled::kOpen:
        return StillOpen(record);
    }
  }

  void StillOpen(const GrainStateRecord& record) {
    if (!has_offer_) return OfferOver(record);
    if (refused_) return Later([this] { Read(); });  // the read is older than the refusal
    Later([this] { Offer(offered_, expected_); });
  }

  void OnOffered(const CasResult& result) override {
    switch (result.outcome) {
      case CasOutcome::kApplied:
        return Applied(result.revision);
      case CasOutcome::kRefused:
      case CasOutcome::kUnknown:
        return Read();
      case CasOutcome::kUnsent:
        return Later([this] { Offer(offered_, expected_); });
    }
  }

  void Applied(uint64_t revision) {
    offered_.set_revision(revision);
    core_->Remember(id_, offered_);
    done_(StateClaim{id_, epoch_, revision});
  }

  void Fail(Status status) override { done_(std::move(status)); }

  const uint64_t expected_;
  const std::optional<StateSnapshot> snapshot_;
  const std::function<void(StatusOr<StateClaim>)> done_;
  bool has_offer_ = false;
  GrainStateRecord offered_;
};

}  // namespace

ControlPlaneStateStore::ControlPlaneStateStore(ControlPlane& plane, Executor& executor,
                                               ControlPlaneStateStoreOptions options)
    : core_(std::make_shared<Core>(plane, executor, std::move(options))) {}

ControlPlaneStateStore::~ControlPlaneStateStore() { core_->closed = true; }

void ControlPlaneStateStore::Claim(const GrainId& id, const Epoch& epoch, Duration timeout,
                                   std::function<void(StatusOr<ClaimedState>)> done) {
  std::make_shared<ClaimOperation>(core_, id, epoch, timeout, std::move(done))->Start();
}

void ControlPlaneStateStore::Save(const StateClaim& claim, StateSnapshot snapshot, Duration timeout,
                                  std::function<void(StatusOr<StateClaim>)> done) {
  std::make_shared<WriteOperation>(core_, claim, std::move(snapshot), timeout, std::move(done))
      ->Start();
}

void ControlPlaneStateStore::Clear(const StateClaim& claim, Duration timeout,
                                   std::function<void(StatusOr<StateClaim>)> done) {
  std::make_shared<WriteOperation>(core_, claim, std::nullopt, timeout, std::move(done))->Start();
}

uint64_t ControlPlaneStateStore::refused_writes() const { return core_->refused; }

}  // namespace quern::cluster
