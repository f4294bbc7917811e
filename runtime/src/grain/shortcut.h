// A Ref's way straight to the activation that it reached last, past the table of activations: what
// is told to one grain again and again costs as much as if it were told to an actor.
//
//   Shortcut shortcut(core);
//   if (shortcut.Post(envelope)) return Delivery::kAccepted;
//   ...                                    // to the grain host, which looks the grain up, and
//   shortcut.LeadTo(activation);           // says where it has found it
//
// It is no claim: an activation that is on its way out takes nothing any more, the message goes the
// long way, and the shortcut ends. It is used where nothing but the activation has a say in the
// matter: by the workers of the grain's own system, for kinds without filters and without a bound,
// while no router is installed or the one that is has given passage to that very activation
// (network_port.h) and the node has its lease. It keeps the cell of an activation that has ended
// until its next use; the grain's object is gone by then.
//
// Beside a router what a grain sends is stamped before it goes this way: should its target leave
// for another node, the message has to say under which epoch it was sent.
//
// Thread-safe: the copies of a Ref share one.

#ifndef QUERN_RUNTIME_SRC_GRAIN_SHORTCUT_H_
#define QUERN_RUNTIME_SRC_GRAIN_SHORTCUT_H_

#include <atomic>

#include "quern/runtime/internal/cell.h"
#include "quern/runtime/internal/envelope.h"

namespace quern::internal {

class Activation;
class SystemCore;
class Worker;

class Shortcut {
 public:
  // `core` outlives it.
  explicit Shortcut(SystemCore& core) : core_(core) {}
  ~Shortcut();
  Shortcut(const Shortcut&) = delete;
  Shortcut& operator=(const Shortcut&) = delete;

  // False: not this way; the message is untouched, and the caller takes the long one.
  bool Post(Envelope* envelope);
  // Of one that says who has sent it.
  bool PostStamped(Envelope* envelope);
  // All of them or none; tells from one sender.
  bool PostChain(MailboxNode* first, MailboxNode* last);

  // There is one, for now.
  bool open() const;

  // From now on; nothing if the caller or that activation keeps to the long way.
  void LeadTo(CellPtr<Activation> activation);

 private:
  // Who may go this way: null for none.
  Worker* Visitor() const;
  // What this one sends needs a stamp.
  bool NeedsStamp(const Worker& worker) const;
  // The router does not mind.
  bool Passes(const Activation& activation, const Worker& worker) const;
  bool Put(Worker& worker, Envelope* envelope);
  // That activation is closed.
  void End(Activation* closed);
  void LetGo(Activation* activation);

  SystemCore& core_;
  std::atomic<Activation*> to_{nullptr};  // counted
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_GRAIN_SHORTCUT_H_
