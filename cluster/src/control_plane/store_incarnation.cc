#include "quern/cluster/store_incarnation.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "quern/cluster/control_plane_limits.h"
#include "quern/cluster/keys.h"
#include "quern/cluster/v1/cluster.pb.h"

namespace quern::cluster {
namespace {

// Read, else create, until one of them answers. A Create in doubt needs no settling: whoever wrote
// the record, the next read shows it.
class Opening : public std::enable_shared_from_this<Opening> {
 public:
  Opening(ControlPlane& plane, Executor& executor, StoreIncarnationOptions options,
          std::function<void(StatusOr<StoreIdentity>)> done)
      : plane_(plane),
        executor_(executor),
        options_(std::move(options)),
        key_(StoreIncarnationKey(options_.cluster)),
        deadline_(options_.clock->Now() + options_.timeout),
        done_(std::move(done)) {}

  void Read() {
    if (Left() <= Duration::zero()) return Fail(last_error_);
    plane_.Get(
        Table::kControl, key_, std::min(Left(), kStoreAttemptMax),
        [self = shared_from_this()](StatusOr<Record> record) { self->OnRead(std::move(record)); });
  }

 private:
  Duration Left() const { return deadline_ - options_.clock->Now(); }

  void OnRead(StatusOr<Record> record) {
    if (absl::IsNotFound(record.status())) return Create();
    if (absl::IsCancelled(record.status())) return done_(record.status());
    if (!record.ok()) return ReadLater(std::string(record.status().message()));
    v1::StoreIncarnation stored;
    if (!stored.ParseFromString(record->value) || stored.id() == 0) {
      return done_(absl::DataLossError("record " + key_ + " is not a store incarnation"));
    }
    done_(StoreIdentity{stored.id(), stored.number()});
  }

  void Create() {
    if (Left() <= Duration::zero()) return Fail(last_error_);
    v1::StoreIncarnation fresh;
    while (fresh.id() == 0) fresh.set_id(options_.random->Next());
    fresh.set_number(1);
    const Duration wall = options_.clock->WallNow().time_since_epoch();
    fresh.set_created_unix_ns(static_cast<uint64_t>(wall.count()));
    const StoreIdentity mine{fresh.id(), fresh.number()};
    plane_.Create(Table::kControl, key_, fresh.SerializeAsString(),
                  std::min(Left(), kStoreAttemptMax),
                  [self = shared_from_this(), mine](const CasResult& result) {
                    self->OnCreated(mine, result);
                  });
  }

  void OnCreated(const StoreIdentity& mine, const CasResult& result) {
    switch (result.outcome) {
      case CasOutcome::kApplied:
        return done_(mine);
      case CasOutcome::kRefused:
      case CasOutcome::kUnsent:
      case CasOutcome::kUnknown:
        return ReadLater(result.detail);
    }
  }

  void ReadLater(std::string why) {
    last_error_ = std::move(why);
    if (Left() <= Duration::zero()) return Fail(last_error_);
    executor_.PostAfter(backoff_, [self = shared_from_this()] { self->Read(); });
    backoff_ = std::min(backoff_ * 2, kStoreBackoffMax);
  }

  void Fail(const std::string& why) {
    done_(absl::UnavailableError("open the store of cluster " + options_.cluster + ": " + why));
  }

  ControlPlane& plane_;
  Executor& executor_;
  const StoreIncarnationOptions options_;
  const std::string key_;
  const Time deadline_;
  const std::function<void(StatusOr<StoreIdentity>)> done_;
  Duration backoff_ = kStoreBackoffMin;
  std::string last_error_ = "no time left";
};

}  // namespace

void OpenStoreIncarnation(ControlPlane& plane, Executor& executor, StoreIncarnationOptions options,
                          std::function<void(StatusOr<StoreIdentity>)> done) {
  std::make_shared<Opening>(plane, executor, std::move(options), std::move(done))->Read();
}

}  // namespace quern::cluster
