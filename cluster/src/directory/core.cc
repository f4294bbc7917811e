#include "directory/core.h"

#include <algorithm>

#include <xxhash.h>

namespace quern::cluster {
namespace internal {
namespace {

// Rendezvous (highest random weight; Thaler, Ravishankar, 1998): every member gets a score for the
// partition, the highest owns it, so that a change of one member moves only what it gains or loses.
uint64_t Score(uint32_t partition, uint64_t seed, const std::string& node_id) {
  constexpr uint64_t kGolden = 0x9E3779B97F4A7C15;
  return XXH3_64bits_withSeed(node_id.data(), node_id.size(), seed + kGolden * (partition + 1));
}

}  // namespace

wire::v1::Epoch ToWire(const Epoch& epoch) {
  wire::v1::Epoch wire;
  wire.set_home_term(epoch.home_term);
  wire.set_incarnation(epoch.incarnation);
  wire.set_view_version(epoch.view_version);
  wire.set_counter(epoch.counter);
  return wire;
}

Epoch FromWire(const wire::v1::Epoch& epoch) {
  return {epoch.home_term(), epoch.incarnation(), epoch.view_version(), epoch.counter()};
}

wire::v1::GrainIdentity ToWire(const GrainId& id) {
  wire::v1::GrainIdentity wire;
  wire.set_kind(id.kind);
  wire.set_key(id.key);
  return wire;
}

StatusOr<GrainId> FromWire(const wire::v1::GrainIdentity& identity) {
  GrainId id(identity.kind(), identity.key());
  if (Status status = id.Validate(); !status.ok()) return status;
  return id;
}

PartitionMap::PartitionMap(ViewPtr view) : view_(std::move(view)) {
  owners_.resize(view_->partition_count, nullptr);
  for (uint32_t partition = 0; partition < owners_.size(); ++partition) {
    owners_[partition] = OwnerOf(partition, *view_);
  }
}

const Member* PartitionMap::Owner(uint32_t partition) const {
  return partition < owners_.size() ? owners_[partition] : nullptr;
}

// A joining member was never placed upon: only once it is active do owners know of it.
bool MayHost(const Member& member) { return member.state != MemberState::kJoining; }

Executor::TimerId DirectoryCore::After(Duration delay, std::function<void()> closure) {
  return executor.PostAfter(delay,
                            [weak = std::weak_ptr<const int>(alive), closure = std::move(closure)] {
                              if (!weak.expired()) closure();
                            });
}

Duration DirectoryCore::NextBackoff(Duration* backoff) const {
  *backoff = std::clamp(*backoff * 2, options.retry_first, options.retry_max);
  return *backoff;
}

void DirectoryCore::CallBytes(const remoting::PeerAddress& to, remoting::SystemBody body,
                              Duration timeout, DirectoryPort::CallDone done) {
  auto guarded = [weak = std::weak_ptr<const int>(alive),
                  done = std::move(done)](StatusOr<remoting::SystemBody> reply) {
    if (!weak.expired()) done(std::move(reply));
  };
  if (to.process_id != self) return port->Call(to, std::move(body), timeout, std::move(guarded));
  // The reply may come within to_self, or from any later closure of this executor: post both ways,
  // so that no role is ever called while another one iterates.
  After(Duration::zero(), [this, body = std::move(body), guarded = std::move(guarded)]() mutable {
    to_self(std::move(body),
            [this, guarded = std::move(guarded)](StatusOr<remoting::SystemBody> reply) {
              executor.Post([guarded, reply = std::move(reply)] { guarded(reply); });
            });
  });
}

void DirectoryCore::SendBytes(const remoting::PeerAddress& to, remoting::SystemBody body) {
  if (to.process_id != self) return port->Send(to, std::move(body));
  After(Duration::zero(),
        [this, body = std::move(body)]() mutable { to_self(std::move(body), nullptr); });
}

}  // namespace internal

uint32_t PartitionOf(const GrainId& id, const View& view) {
  return static_cast<uint32_t>(StableHash(id, view.hash_seed) % view.partition_count);
}

const Member* OwnerOf(uint32_t partition, const View& view) {
  const Member* owner = nullptr;
  uint64_t best = 0;
  for (const Member& member : view.members) {
    if (member.state != MemberState::kActive) continue;
    const uint64_t score = internal::Score(partition, view.hash_seed, member.node_id);
    const bool wins = owner == nullptr || score > best ||
                      (score == best && member.process_id > owner->process_id);
    if (!wins) continue;
    owner = &member;
    best = score;
  }
  return owner;
}

}  // namespace quern::cluster
