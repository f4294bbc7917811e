// Where a remote actor is: the node's address, the process that is meant there, and the actor's
// path in it. The runtime carries it as an opaque string.
//
//   ActorAddress address{peer, "flights.reader@/user/reader"};
//   StatusOr<ActorAddress> same = ActorAddress::Parse(address.ToString());

#ifndef QUERN_CLUSTER_ACTOR_ADDRESS_H_
#define QUERN_CLUSTER_ACTOR_ADDRESS_H_

#include <string>
#include <string_view>

#include "quern/remoting/network.h"
#include "quern/runtime/network_port.h"

namespace quern::cluster {

struct ActorAddress {
  // "127.0.0.1:40123#<32 hex digits>flights.reader@/user/reader"
  std::string ToString() const;

  // INVALID_ARGUMENT when `text` was not made by ToString.
  static StatusOr<ActorAddress> Parse(std::string_view text);

  remoting::PeerAddress peer;
  std::string path;  // <kind>@<path>, as on the wire: the kind says how messages are decoded
};

// Of `<kind>@<path>`. An empty kind when there is no '@'.
struct ActorPath {
  std::string_view kind;
  std::string_view path;
};
ActorPath SplitActorPath(std::string_view wire_path);

// Sends `message` to the actor and completes it with the answer. Thread-safe; `network` must
// outlive the answer.
Delivery SendToActor(remoting::Network& network, const ActorAddress& address, Message message);

// The actor's address out of the answer to a SpawnRequest. DATA_LOSS: malformed.
StatusOr<std::string> SpawnedAddress(const StatusOr<remoting::SystemBody>& answer);

// Process ids travel as 16 bytes. A malformed one becomes all zeros, which no process has.
std::string ToBytes(const remoting::ProcessId& process);
remoting::ProcessId ProcessIdFromBytes(std::string_view bytes);
std::string ToHex(const remoting::ProcessId& process);

}  // namespace quern::cluster

#endif  // QUERN_CLUSTER_ACTOR_ADDRESS_H_
