#include "connection/handshake.h"

#include <algorithm>

#include "connection/features.h"
#include "connection/lane.h"
#include "connection/wire_convert.h"
#include "frame/frame.h"
#include "quern/remoting/limits.h"
#include "quern/wire/v1/wire.pb.h"

namespace quern::remoting {
namespace {

std::string ToBytes(const ProcessId& id) { return std::string(id.begin(), id.end()); }

bool FromBytes(std::string_view bytes, ProcessId* id) {
  if (bytes.size() != id->size()) return false;
  std::ranges::copy(bytes, id->begin());
  return true;
}

bool IsNameOrEmpty(std::string_view name) {
  return name.empty() || IsName(name, limits::kHelloNameBytesMax);
}

}  // namespace

void AppendHello(const NodeIdentity& self, const OwnHello& own, std::string* out) {
  wire::v1::Hello hello;
  hello.set_magic(kMagic);
  hello.set_version_min(kProtocolMin);
  hello.set_version_max(kProtocolMax);
  hello.set_cluster_id(self.cluster_id);
  hello.set_datacenter(self.datacenter);
  hello.set_node_id(self.node_id);
  hello.set_process_id(ToBytes(self.process_id));
  hello.set_incarnation(self.incarnation);
  hello.set_role(self.role == NodeRole::kClient ? wire::v1::ROLE_CLIENT : wire::v1::ROLE_NODE);
  hello.set_features(kFeatures);
  hello.add_compressions(wire::v1::COMPRESSION_NONE);
  hello.mutable_limits()->set_frame_bytes_max(limits::kFrameBytesMax);
  hello.mutable_limits()->set_requests_in_flight_max(limits::kRequestsInFlightMax);
  hello.set_lane(own.lane);
  hello.set_lane_generation(own.generation);
  hello.set_nonce(own.nonce);
  hello.set_advertised_address(self.advertised_address);
  if (!IsZero(own.expected)) hello.set_expected_process_id(ToBytes(own.expected));

  const size_t begin = BeginFrame(out);
  hello.AppendToString(out);
  EndFrame(begin, FrameType::kHello, own.lane, out);
}

CloseReason ReadHello(std::string_view body, PeerHello* out) {
  wire::v1::Hello hello;
  const bool parsed = hello.ParseFromArray(body.data(), static_cast<int>(body.size()));
  if (hello.magic() != kMagic) return CloseReason::kBadMagic;
  if (!parsed) return CloseReason::kMalformedFrame;
  out->version_min = hello.version_min();
  out->version_max = hello.version_max();
  // What another version means by the other fields is not ours to judge.
  if (out->version_min > kProtocolMax || out->version_max < kProtocolMin) return CloseReason::kNone;

  if (!FromBytes(hello.process_id(), &out->identity.process_id) ||
      IsZero(out->identity.process_id) ||
      (!hello.expected_process_id().empty() &&
       !FromBytes(hello.expected_process_id(), &out->expected)) ||
      !IsNameOrEmpty(hello.cluster_id()) || !IsNameOrEmpty(hello.datacenter()) ||
      !IsNameOrEmpty(hello.node_id()) || !IsNameOrEmpty(hello.advertised_address()) ||
      !IsLane(hello.lane())) {
    return CloseReason::kMalformedFrame;
  }
  out->identity.cluster_id = hello.cluster_id();
  out->identity.datacenter = hello.datacenter();
  out->identity.node_id = hello.node_id();
  out->identity.incarnation = hello.incarnation();
  out->identity.role = hello.role() == wire::v1::ROLE_CLIENT ? NodeRole::kClient : NodeRole::kNode;
  out->identity.advertised_address = hello.advertised_address();
  out->features = hello.features();
  out->frame_bytes_max = hello.limits().frame_bytes_max();
  out->requests_in_flight_max = hello.limits().requests_in_flight_max();
  out->lane = hello.lane();
  out->generation = hello.lane_generation();
  return CloseReason::kNone;
}

CloseReason CheckHello(const PeerHello& peer, const NodeIdentity& self, const ProcessId& expected) {
  if (peer.version_min > kProtocolMax || peer.version_max < kProtocolMin) {
    return CloseReason::kVersion;
  }
  if (peer.identity.cluster_id != self.cluster_id) return CloseReason::kClusterId;
  if (peer.lane == kProbeLane) return CloseReason::kNone;
  if (peer.identity.process_id == self.process_id) return CloseReason::kSelfConnection;
  const bool asked_for_another = !IsZero(peer.expected) && peer.expected != self.process_id;
  const bool another_answers = !IsZero(expected) && peer.identity.process_id != expected;
  return asked_for_another || another_answers ? CloseReason::kWrongProcess : CloseReason::kNone;
}

}  // namespace quern::remoting
