#include "router/gateway_locator.h"

#include <algorithm>
#include <utility>

#include "quern/cluster/actor_address.h"
#include "quern/cluster/v1/cluster.pb.h"
#include "quern/cluster/wire_convert.h"

namespace quern::datacenter {

struct Gateways::Attempt {
  std::string datacenter;
  remoting::SystemBody body;
  Time deadline;
  Done done;
  size_t tries = 0;     // in this round
  size_t refusals = 0;  // in this round
  std::string tried;    // for the message, when all refuse
  remoting::PeerAddress gateway;
};

void Gateways::Call(const std::string& datacenter, const remoting::SystemBody& body, Time deadline,
                    Done done) {
  auto attempt = std::make_shared<Attempt>();
  attempt->datacenter = datacenter;
  attempt->body = body;
  attempt->deadline = deadline;
  attempt->done = std::move(done);
  Try(attempt);
}

void Gateways::Try(const std::shared_ptr<Attempt>& attempt) {
  const StatusOr<DatacenterInfo> info = registry_.Find(attempt->datacenter);
  if (!info.ok()) return attempt->done(info.status());
  const Duration left = attempt->deadline - clock_.Now();
  if (left <= Duration::zero()) {
    return attempt->done(absl::UnavailableError("datacenter " + attempt->datacenter +
                                                ": no gateway answered in time; tried" +
                                                attempt->tried));
  }
  std::vector<remoting::PeerAddress> order = info->gateways;
  const std::string& preferred = preferred_[attempt->datacenter];
  std::ranges::stable_partition(order,
                                [&](const auto& gateway) { return gateway.address == preferred; });
  if (attempt->refusals >= order.size()) {
    return attempt->done(
        WithReason(absl::UnavailableError("datacenter " + attempt->datacenter + ": none of its " +
                                          std::to_string(order.size()) +
                                          " gateways can be reached; tried" + attempt->tried),
                   Reason::kDcUnreachable));
  }
  if (attempt->tries >= order.size())
    attempt->tries = attempt->refusals = 0;  // some were silent: another round
  attempt->gateway = order[attempt->tries++];
  network_.CallSystem(attempt->gateway, attempt->body, std::min(left, try_timeout_),
                      [this, attempt](StatusOr<remoting::SystemBody> answer) {
                        OnAnswer(attempt, std::move(answer));
                      });
}

void Gateways::OnAnswer(const std::shared_ptr<Attempt>& attempt,
                        StatusOr<remoting::SystemBody> answer) {
  const bool silent = absl::IsDeadlineExceeded(answer.status());
  const bool refused = absl::IsUnavailable(answer.status());
  if (!silent && !refused) {
    preferred_[attempt->datacenter] = attempt->gateway.address;
    return attempt->done(std::move(answer));
  }
  if (attempt->tried.size() < 400) {
    attempt->tried += " " + attempt->gateway.address + (silent ? " (silent)" : " (refused)");
  }
  attempt->refusals += refused ? 1 : 0;
  Try(attempt);
}

void GatewayLocator::Locate(const GrainId& id, const Epoch& stale, Time deadline,
                            std::function<void(StatusOr<cluster::Location>)> done) {
  cluster::v1::LocateRequest request;
  request.mutable_grain()->set_kind(id.kind);
  request.mutable_grain()->set_key(id.key);
  if (!stale.IsZero()) cluster::ToProto(stale, request.mutable_stale_epoch());
  const remoting::SystemBody body{request.GetTypeName(), request.SerializeAsString()};
  gateways_.Call(home_(id), body, deadline,
                 [id, done = std::move(done)](StatusOr<remoting::SystemBody> answer) {
                   if (!answer.ok()) return done(answer.status());
                   cluster::v1::LocateReply reply;
                   if (!reply.ParseFromString(answer->bytes))
                     return done(absl::DataLossError("locate " + id.ToString()));
                   cluster::Location location;
                   location.peer.address = reply.activation().address();
                   location.peer.process_id =
                       cluster::ProcessIdFromBytes(reply.activation().process_id());
                   location.epoch = cluster::FromProto(reply.activation().epoch());
                   done(location);
                 });
}

}  // namespace quern::datacenter
