// Requests to the server, many in flight over one inbox, each answered exactly once. For the loop's
// thread.

#ifndef QUERN_CLUSTER_SRC_NATS_REQUESTS_H_
#define QUERN_CLUSTER_SRC_NATS_REQUESTS_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "nats_connection.h"
#include "nats_loop.h"

namespace quern::cluster {

struct NatsAnswer {
  enum class Kind : uint8_t {
    kAnswered,      // `text` is the payload
    kNobody,        // the server knows nobody who would take it: surely not processed
    kUnsent,        // surely not sent
    kTimedOut,      // no answer in time
    kDisconnected,  // the connection broke first
    kClosed,        // the plane is being destroyed
  };
  Kind kind = Kind::kTimedOut;
  std::string_view text;  // payload, or why not
};

struct NatsRequest {
  std::string subject;
  NatsConnection::Headers headers = {};
  std::string payload = {};
};

class NatsRequests {
 public:
  using OnAnswer = std::function<void(const NatsAnswer&)>;

  // Answers arrive at the loop as messages of `receiver`.
  NatsRequests(NatsLoop& loop, NatsConnection& connection, uint64_t receiver)
      : loop_(loop), connection_(connection), receiver_(receiver) {}

  // Subscribes to the inbox; once, when the connection has been started.
  Status Open();

  // Answered within `timeout` of being sent. May answer before it returns.
  void Send(NatsRequest request, Duration timeout, OnAnswer on_answer);

  void Took(natsMsg* message);

  // Answers all that is outstanding.
  void FailAll(NatsAnswer::Kind kind);

  // As FailAll(kClosed), and so is every later Send.
  void Close();

 private:
  struct Flight {
    OnAnswer on_answer;
    uint64_t timer = 0;
  };
  struct Waiting {
    NatsRequest request;
    Time deadline;
    OnAnswer on_answer;
  };

  void Launch(const NatsRequest& request, Duration timeout, OnAnswer on_answer);
  void LaunchWaiting();
  void Land(uint64_t id, const NatsAnswer& answer);

  NatsLoop& loop_;
  NatsConnection& connection_;
  const uint64_t receiver_;
  std::string inbox_;
  NatsPtr<natsSubscription> subscription_;
  uint64_t last_id_ = 0;
  std::unordered_map<uint64_t, Flight> flights_;
  std::deque<Waiting> waiting_;
  bool closed_ = false;
};

}  // namespace quern::cluster

#endif  // QUERN_CLUSTER_SRC_NATS_REQUESTS_H_
