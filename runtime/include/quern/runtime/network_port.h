// The seam between the runtime, which knows no network, and whatever carries messages elsewhere.
// `cluster` installs a Router into a System; without one a System routes to itself. Users never
// include this header.
//
//   outbound  Ref/Grain ... -> Router::RouteGrain(id, Message) -> Message::Encode() -> a peer ->
//   Message::Complete(..) inbound   a peer -> NetworkPort::Decode(..) -> Message ->
//   NetworkPort::DeliverToGrain(..)
//
// Everything here is type-erased: the message, its codec and its reply are reached through the
// Message handle.

#ifndef QUERN_RUNTIME_NETWORK_PORT_H_
#define QUERN_RUNTIME_NETWORK_PORT_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quern/runtime/clock.h"
#include "quern/runtime/delivery.h"
#include "quern/runtime/epoch.h"
#include "quern/runtime/grain_id.h"
#include "quern/runtime/grain_info.h"
#include "quern/runtime/status.h"

namespace quern {

namespace internal {
class Envelope;
}

// Who sent a message. For a grain its identity and the epoch of the sending activation, else the
// actor's id in its process.
struct SenderStamp {
  GrainId grain;  // kind empty: not a grain
  Epoch epoch;
  uint64_t actor_id = 0;  // 0: a plain thread
};

// Owns one message on its way, and the right to answer it once. Move-only; destroying an unanswered
// ask answers it ABORTED. Owner only.
class Message {
 public:
  explicit Message(internal::Envelope* owned) : envelope_(owned) {}
  Message(Message&& other) noexcept : envelope_(std::exchange(other.envelope_, nullptr)) {}
  Message& operator=(Message&& other) noexcept;
  ~Message();

  // Name of the message's type on the wire (Codec<M>::kName).
  std::string_view type_name() const;

  // False for a tell.
  bool expects_reply() const;

  // kNever for none.
  Time deadline() const;

  const SenderStamp& sender() const;

  // Paths of the askers that wait on this message, the first asker first; "(reentrant) " before one
  // that may be asked meanwhile. Empty for a tell.
  const std::vector<std::string>& call_chain() const;

  // Appends the encoded message.
  void Encode(std::string* out) const;

  // Answers an ask with an encoded reply; INVALID bytes become DATA_LOSS for the asker. Drops a
  // tell. `from` is checked against the highest epoch seen of that grain; a lower one is refused
  // (ABORTED, stale_epoch).
  void Complete(std::string_view encoded_reply, const SenderStamp& from) &&;

  // Answers an ask with `status` (not OK); dead-letters a tell with that reason.
  void Fail(Status status) &&;

  // The envelope, for the runtime itself.
  internal::Envelope* release() && { return std::exchange(envelope_, nullptr); }
  internal::Envelope* get() const { return envelope_; }

 private:
  internal::Envelope* envelope_;
};

// An answer to an inbound ask, on its way back to the peer.
struct EncodedReply {
  Status status;  // not OK: body is empty
  std::string body;
  SenderStamp sender;  // the activation that answered
};

// A message as it came from a peer.
struct InboundMessage {
  std::string_view kind;  // of the grain or actor that it is for
  std::string_view type_name;
  std::string_view body;
  Time deadline = kNever;
  SenderStamp sender;
  std::vector<std::string> call_chain;
  // Called once, on any thread, when the ask is answered. Empty for a tell.
  std::function<void(EncodedReply)> on_reply;
};

struct ActivationInfo {
  GrainId id;
  Epoch epoch;
  ActivationState state = ActivationState::kActivating;
};

// What became of a message handed to DeliverToGrain.
struct GrainDelivery {
  enum class Outcome {
    kAccepted,  // in the activation's mailbox
    kNotHere,   // no activation (or it is on its way out); the message is untouched
    kStale,     // the activation here has another epoch than expected; the message is untouched
    kRefused,   // full, fenced, stopped, or a cycle: the message was answered RESOURCE_EXHAUSTED,
                // UNAVAILABLE or FAILED_PRECONDITION (ask_cycle)
  };
  Outcome outcome;
  Epoch epoch;  // of the activation here, or the last one that was
};

// How far what a Router hands over here reaches.
enum class Passage : uint8_t {
  kOnce,       // this message
  kFromNowOn,  // and what actors of this System send through the same Ref: it goes straight to that
               // activation, past the Router, until a Recall(), the activation's end, the end of
               // the lease (SetServingUntil) or another SetRouter(). A hint: it need not.
};

// Where the messages of a System's grain refs and remote refs go. Thread-safe; never blocks, never
// suspends.
class Router {
 public:
  virtual ~Router() = default;

  virtual Delivery RouteGrain(const GrainId& target, Message message) = 0;

  // `address` is opaque to the runtime: it comes from a spawn through this Router.
  virtual Delivery RouteActor(const std::string& address, Message message) = 0;

  // Spawns an actor of `kind` in datacenter `where` ("" = here) and hands over its address.
  virtual void Spawn(std::string_view where, std::string_view kind, std::string_view name,
                     std::string encoded_arguments, Duration timeout,
                     std::function<void(StatusOr<std::string>)> done) = 0;

  // An activation here has ended; `epoch` was its epoch.
  virtual void OnDeactivated(const GrainId& id, const Epoch& epoch) = 0;
};

// What a System offers to a network layer. Thread-safe; nothing here blocks or suspends. Callbacks
// arrive on any thread.
class NetworkPort {
 public:
  virtual ~NetworkPort() = default;

  // The router must outlive the System's last turn, or be taken out with nullptr first.
  virtual void SetRouter(Router* router) = 0;

  // Kinds of hosted grains and actors.
  virtual std::vector<std::string> HostedKinds() const = 0;
  virtual bool Hosts(std::string_view kind) const = 0;

  // NOT_FOUND: the kind is not hosted here or knows no such message; DATA_LOSS: the body does not
  // parse.
  virtual StatusOr<Message> Decode(InboundMessage inbound) = 0;

  // Starts an activation under `epoch` unless one is there, runs OnActivate, then calls `done` with
  // what is there now. Fails with NOT_FOUND (kind), UNAVAILABLE (fenced, stopping), or what
  // OnActivate returned.
  virtual void Activate(const GrainId& id, const Epoch& epoch,
                        std::function<void(StatusOr<ActivationInfo>)> done) = 0;

  // `expected`: deliver only to the activation with this epoch. `message` is taken unless the
  // outcome says untouched.
  virtual GrainDelivery DeliverToGrain(const GrainId& id, const std::optional<Epoch>& expected,
                                       Message& message, Passage passage = Passage::kOnce) = 0;

  // Takes back every passage to that grain: what is sent once this has returned comes to the Router
  // again. A Router that holds a message of that grain, or knows it elsewhere, has called it, under
  // the lock under which it gives passage.
  virtual void Recall(const GrainId& id) = 0;

  // Messages still queued there are routed again. OnDeactivated follows when it has ended.
  virtual void Deactivate(const GrainId& id, Status why) = 0;

  virtual std::vector<ActivationInfo> Activations() const = 0;

  // Delivers to an actor by path; NOT_FOUND answers an ask when there is none.
  virtual Delivery DeliverToActor(std::string_view path, Message message) = 0;

  // Spawns a hosted actor kind from encoded arguments; `done` gets its path.
  virtual void SpawnHosted(std::string_view kind, std::string_view name,
                           std::string encoded_arguments,
                           std::function<void(StatusOr<std::string>)> done) = 0;

  // Grain turns start only while clock.Now() < `until`. kNever when no lease rules; Time::min()
  // fences at once: no new turns, queued work answers UNAVAILABLE. Activations stay until
  // deactivated.
  virtual void SetServingUntil(Time until) = 0;
};

}  // namespace quern

#endif  // QUERN_RUNTIME_NETWORK_PORT_H_
