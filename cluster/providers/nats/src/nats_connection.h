// One connection to a NATS server, on libnats: connects in the background, reconnects for ever,
// buffers nothing while it is down. Whatever the library's threads report is only posted to the
// loop. Methods are for the loop's thread, unless said otherwise.

#ifndef QUERN_CLUSTER_SRC_NATS_CONNECTION_H_
#define QUERN_CLUSTER_SRC_NATS_CONNECTION_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nats/nats.h>

#include "nats_loop.h"
#include "quern/runtime/status.h"

namespace quern::cluster {

// Frees what libnats made.
struct NatsDeleter {
  void operator()(natsConnection* p) const { natsConnection_Destroy(p); }
  void operator()(natsOptions* p) const { natsOptions_Destroy(p); }
  void operator()(natsSubscription* p) const { natsSubscription_Destroy(p); }
  void operator()(natsMsg* p) const { natsMsg_Destroy(p); }
  void operator()(jsCtx* p) const { jsCtx_Destroy(p); }
  void operator()(jsStreamInfo* p) const { jsStreamInfo_Destroy(p); }
};
template <typename T>
using NatsPtr = std::unique_ptr<T, NatsDeleter>;

class NatsConnection {
 public:
  struct Events {
    std::function<void()> on_connected;         // first, and again after every reconnect
    std::function<void()> on_disconnected;      // requests under way may be lost
    std::function<void()> on_messages_dropped;  // a subscription could not keep up
  };
  using Headers = std::vector<std::pair<const char*, std::string>>;

  // What Publish can tell.
  enum class Sent : uint8_t {
    kYes,    // handed to the connection; may still be lost
    kNo,     // surely not sent
    kMaybe,  // the connection broke while it was written
  };

  // `loop` outlives the connection. The events run on the loop.
  NatsConnection(NatsLoop& loop, Events events);
  ~NatsConnection();
  NatsConnection(const NatsConnection&) = delete;
  NatsConnection& operator=(const NatsConnection&) = delete;

  // Begins to connect. INVALID_ARGUMENT: the URL. Any thread, once.
  Status Start(const std::string& url);

  // Ends it; nothing is posted any more. Any thread.
  void Close();

  // `reply` may be empty. `why` is filled unless kYes.
  Sent Publish(const std::string& subject, const std::string& reply, const Headers& headers,
               std::string_view payload, std::string* why);

  // Messages on `subject` arrive at the loop as those of `receiver`. Survives reconnects.
  // `bounded`: a receiver that falls behind loses messages and hears of it.
  StatusOr<NatsPtr<natsSubscription>> Subscribe(const std::string& subject, uint64_t receiver,
                                                bool bounded);

  natsConnection* get() const { return connection_.get(); }

 private:
  // What the library's threads hold; it outlives the connection if they do.
  struct Shared;

  Status Configure(natsOptions* options, const std::string& url);

  NatsLoop& loop_;
  const std::shared_ptr<Shared> shared_;
  NatsPtr<natsConnection> connection_;
};

}  // namespace quern::cluster

#endif  // QUERN_CLUSTER_SRC_NATS_CONNECTION_H_
