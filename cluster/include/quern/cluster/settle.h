// What became of a compare-and-set that was never answered? Every record carries the nonce of its
// last write and a ring of marks (version, nonce) of the writes before it. Read the record and ask
// Settle():
//
//   UnknownWrite mine{.expected = revision, .version = view.version(), .nonce = view.id()};
//   switch (Settle(mine, {seen.revision, stored.id()}, stored.recent_writes())) {
//     case Settled::kApplied:     // it stands; the record is at seen.revision
//     case Settled::kOverwritten: // it was applied, and others wrote after it
//     case Settled::kNotApplied:  // it was not and never will be: the record has moved on
//     case Settled::kOpen:        // not yet: compare-and-set at `expected` again, same nonce
//     case Settled::kStale:       // the read is older than one's own: read again
//     case Settled::kForgotten:   // moved on further than the ring reaches
//   }
//
// Reads may be stale, but only ever show a state that the record really had. So a record seen past
// `expected` without one's mark proves "not applied"; a record seen at `expected` proves nothing
// until a compare-and-set of one's own there has been answered. Writers push the mark of what they
// overwrite with PushWriteMark, and give each write a fresh nonce, kept through its own retries.
//
// Pure functions.

#ifndef QUERN_CLUSTER_SETTLE_H_
#define QUERN_CLUSTER_SETTLE_H_

#include <cstdint>
#include <string_view>

namespace quern::cluster {

struct UnknownWrite {
  uint64_t expected = 0;  // revision the write was conditioned on; 0: a Create
  uint64_t version = 0;   // what its own mark carries, or would
  uint64_t nonce = 0;
};

// The record as read; {0, 0} when there is none.
struct SeenRecord {
  uint64_t revision = 0;
  uint64_t nonce = 0;
};

enum class Settled : uint8_t { kApplied, kOverwritten, kNotApplied, kOpen, kStale, kForgotten };

// `Marks` is a range of messages with version() and nonce(), oldest first (WriteMark).
template <typename Marks>
Settled Settle(const UnknownWrite& write, const SeenRecord& seen, const Marks& recent) {
  if (seen.nonce == write.nonce && seen.revision != 0) return Settled::kApplied;
  bool ring_reaches_back = false;
  for (const auto& mark : recent) {
    if (mark.nonce() == write.nonce) return Settled::kOverwritten;
    ring_reaches_back |= mark.version() <= write.version;
  }
  if (seen.revision == write.expected) return Settled::kOpen;
  if (seen.revision < write.expected) return Settled::kStale;
  return ring_reaches_back ? Settled::kNotApplied : Settled::kForgotten;
}

// Adds a mark to a repeated field of WriteMark and drops the oldest beyond `limit`.
template <typename Marks>
void PushWriteMark(Marks* marks, uint64_t version, std::string_view writer, uint64_t nonce,
                   int limit) {
  auto* mark = marks->Add();
  mark->set_version(version);
  mark->set_writer(writer.data(), writer.size());
  mark->set_nonce(nonce);
  if (marks->size() > limit) marks->DeleteSubrange(0, marks->size() - limit);
}

}  // namespace quern::cluster

#endif  // QUERN_CLUSTER_SETTLE_H_
