#include "quern/cluster/actor_address.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "quern/cluster/v1/cluster.pb.h"

namespace quern::cluster {
namespace {

constexpr size_t kHexDigits = 2 * std::tuple_size_v<remoting::ProcessId>;

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

std::string ToBytes(const remoting::ProcessId& process) {
  return std::string(process.begin(), process.end());
}

remoting::ProcessId ProcessIdFromBytes(std::string_view bytes) {
  remoting::ProcessId process{};
  if (bytes.size() == process.size()) std::ranges::copy(bytes, process.begin());
  return process;
}

std::string ToHex(const remoting::ProcessId& process) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (const uint8_t byte : process) {
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 15];
  }
  return hex;
}

std::string ActorAddress::ToString() const {
  return peer.address + "#" + ToHex(peer.process_id) + path;
}

StatusOr<ActorAddress> ActorAddress::Parse(std::string_view text) {
  const size_t hash = text.find('#');
  if (hash == std::string_view::npos || text.size() < hash + 1 + kHexDigits) {
    return absl::InvalidArgumentError("not an actor address: " + std::string(text));
  }
  ActorAddress address;
  address.peer.address = text.substr(0, hash);
  for (size_t i = 0; i < kHexDigits; ++i) {
    const int value = HexValue(text[hash + 1 + i]);
    if (value < 0) return absl::InvalidArgumentError("not an actor address: " + std::string(text));
    uint8_t& byte = address.peer.process_id[i / 2];
    byte = static_cast<uint8_t>((byte << 4) | value);
  }
  address.path = text.substr(hash + 1 + kHexDigits);
  return address;
}

ActorPath SplitActorPath(std::string_view wire_path) {
  const size_t at = wire_path.find('@');
  if (at == std::string_view::npos) return {"", wire_path};
  return {wire_path.substr(0, at), wire_path.substr(at + 1)};
}

Delivery SendToActor(remoting::Network& network, const ActorAddress& address, Message message) {
  remoting::UserMessage wire;
  wire.actor_path = address.path;
  wire.type_name = std::string(message.type_name());
  message.Encode(&wire.body);
  wire.deadline = message.deadline();
  wire.sender = message.sender();
  wire.call_chain = message.call_chain();
  if (!message.expects_reply()) {
    const Delivery sent = network.Tell(address.peer, std::move(wire));
    if (sent == Delivery::kAccepted) {
      std::move(message).Complete({}, {});  // it is on its way
    } else {
      std::move(message).Fail(
          absl::UnavailableError("tell " + address.path + ": no way to " + address.peer.address));
    }
    return sent;
  }
  auto held = std::make_shared<Message>(std::move(message));
  network.Ask(address.peer, std::move(wire), [held](remoting::UserReply reply) {
    if (reply.status.ok()) return std::move(*held).Complete(reply.body, reply.sender);
    std::move(*held).Fail(std::move(reply.status));
  });
  return Delivery::kAccepted;
}

StatusOr<std::string> SpawnedAddress(const StatusOr<remoting::SystemBody>& answer) {
  if (!answer.ok()) return answer.status();
  v1::SpawnReply reply;
  if (!reply.ParseFromString(answer->bytes)) return absl::DataLossError("spawn: malformed reply");
  const remoting::PeerAddress peer{reply.address(), ProcessIdFromBytes(reply.process_id())};
  return ActorAddress{peer, reply.path()}.ToString();
}

}  // namespace quern::cluster
