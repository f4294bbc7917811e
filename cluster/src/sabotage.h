// Planted bugs: each switches off one rule that a named simulation must see the loss of. They exist
// only in the library that is built for the simulations (QUERN_SABOTAGE); elsewhere every question
// is the constant false.

#ifndef QUERN_CLUSTER_SRC_SABOTAGE_H_
#define QUERN_CLUSTER_SRC_SABOTAGE_H_

#include <cstdint>

namespace quern::cluster::internal {

enum class Sabotage : uint8_t {
  kNone,
  kEvictAtFreshRevision,  // evicts at a revision just read, not at the one seen silent
  kOwnAcrossSkippedView,  // keeps a partition although a view was skipped
  kAcceptOldOrders,       // starts activations ordered under an older view
  kForgetEndedEpochs,     // starts an activation again that has ended here
  kMintSameEpoch,         // does not count activations up
  kRefusalIsExit,         // takes a refusing address alone as proof of exit
  kJoinTrustsLastWrite,   // settles a join by the last write alone, not by ring and members
};

#ifdef QUERN_SABOTAGE
// One for the whole process: the simulations run in one thread.
inline Sabotage planted = Sabotage::kNone;
inline bool Planted(Sabotage bug) { return planted == bug; }
#else
constexpr bool Planted(Sabotage) { return false; }
#endif

}  // namespace quern::cluster::internal

#endif  // QUERN_CLUSTER_SRC_SABOTAGE_H_
