// What the three roles of a directory share: the view and its partition map, how members are
// called, and how protocol messages become bytes.

#ifndef QUERN_CLUSTER_SRC_DIRECTORY_CORE_H_
#define QUERN_CLUSTER_SRC_DIRECTORY_CORE_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "quern/cluster/directory.h"
#include "quern/cluster/v1/cluster.pb.h"

namespace quern::cluster::internal {

// ---- Messages

wire::v1::Epoch ToWire(const Epoch& epoch);
Epoch FromWire(const wire::v1::Epoch& epoch);
wire::v1::GrainIdentity ToWire(const GrainId& id);
// INVALID_ARGUMENT for a kind or key that no grain can have.
StatusOr<GrainId> FromWire(const wire::v1::GrainIdentity& identity);

template <typename M>
remoting::SystemBody Pack(const M& message) {
  return {M::descriptor()->full_name(), message.SerializeAsString()};
}

// DATA_LOSS: another type, or bytes that do not parse.
template <typename M>
StatusOr<M> Unpack(const StatusOr<remoting::SystemBody>& body) {
  if (!body.ok()) return body.status();
  M message;
  if (body->type != M::descriptor()->full_name() || !message.ParseFromString(body->bytes)) {
    return absl::DataLossError("expected " + M::descriptor()->full_name() + ", got " + body->type);
  }
  return message;
}

// ---- Partitions

// Owner of every partition of one view, computed once.
class PartitionMap {
 public:
  PartitionMap() = default;
  explicit PartitionMap(ViewPtr view);

  // nullptr: no active member.
  const Member* Owner(uint32_t partition) const;
  uint32_t size() const { return static_cast<uint32_t>(owners_.size()); }

 private:
  ViewPtr view_;
  std::vector<const Member*> owners_;
};

// True for the members that may have activations, and so must report.
bool MayHost(const Member& member);

// ---- Shared state

struct DirectoryCore {
  DirectoryCore(DirectoryOptions options_in, Executor& executor_in, Clock& clock_in,
                Random& random_in, Logger& logger_in, DirectoryPort* port_in)
      : options(std::move(options_in)),
        executor(executor_in),
        clock(clock_in),
        random(random_in),
        logger(logger_in),
        port(port_in),
        self(options.self) {}

  uint64_t version() const { return view == nullptr ? 0 : view->version; }
  const Member* self_member() const { return view == nullptr ? nullptr : view->Find(self); }
  bool fenced() const { return clock.Now() >= serving_until; }

  // Calls a member, this one included; `done` never runs within the call. A reply that carries a
  // higher view makes this member fetch it.
  template <typename Response, typename Request>
  void Call(const remoting::PeerAddress& to, const Request& request, Duration timeout,
            std::function<void(StatusOr<Response>)> done) {
    CallBytes(to, Pack(request), timeout,
              [this, done = std::move(done)](StatusOr<remoting::SystemBody> body) {
                StatusOr<Response> response = Unpack<Response>(body);
                if (response.ok() && response->view_version() > version()) {
                  port->FetchView(response->view_version());
                }
                done(std::move(response));
              });
  }

  // One way.
  template <typename M>
  void Send(const remoting::PeerAddress& to, const M& message) {
    SendBytes(to, Pack(message));
  }

  // Runs `closure` later unless this directory is gone or was reset.
  Executor::TimerId After(Duration delay, std::function<void()> closure);

  // The next pause of a retry: doubles from retry_first to retry_max.
  Duration NextBackoff(Duration* backoff) const;

  void CallBytes(const remoting::PeerAddress& to, remoting::SystemBody body, Duration timeout,
                 DirectoryPort::CallDone done);
  void SendBytes(const remoting::PeerAddress& to, remoting::SystemBody body);

  const DirectoryOptions options;
  Executor& executor;
  Clock& clock;
  Random& random;
  Logger& logger;
  DirectoryPort* const port;

  // How a message to oneself is delivered; set by Directory.
  std::function<void(remoting::SystemBody, Directory::Reply)> to_self;

  remoting::ProcessId self{};
  ViewPtr view;
  PartitionMap map;
  Time serving_until = Time::min();
  bool frozen = false;
  DirectoryStats stats;  // the counters; sizes are filled in when asked

  // Renewed by Reset: callbacks of the time before find it gone.
  std::shared_ptr<const int> alive = std::make_shared<const int>(0);
};

}  // namespace quern::cluster::internal

#endif  // QUERN_CLUSTER_SRC_DIRECTORY_CORE_H_
