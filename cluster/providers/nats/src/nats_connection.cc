#include "nats_connection.h"

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "nats_limits.h"

namespace quern::cluster {

struct NatsConnection::Shared {
  Shared(NatsLoop& loop_in, Events events_in) : loop(&loop_in), events(std::move(events_in)) {}

  void PostEvent(std::function<void()> Events::* event) {
    absl::MutexLock lock(&mutex);
    if (loop != nullptr) loop->Post([this, event] { (events.*event)(); });
  }
  void PostMessage(uint64_t receiver, natsMsg* message) {
    absl::MutexLock lock(&mutex);
    if (loop != nullptr) {
      loop->PostMessage(receiver, message);
    } else {
      natsMsg_Destroy(message);
    }
  }
  void Detach() {
    absl::MutexLock lock(&mutex);
    loop = nullptr;
  }

  absl::Mutex mutex;
  NatsLoop* loop ABSL_GUARDED_BY(mutex);
  const Events events;
};

namespace {

// The closures that libnats carries; freed in its last callback.
template <typename Shared>
struct Receiver {
  std::shared_ptr<Shared> shared;
  uint64_t id = 0;
};

Status NatsError(const char* what, natsStatus status) {
  return absl::UnavailableError(std::string(what) + ": " + natsStatus_GetText(status));
}

std::vector<std::string> SplitUrls(const std::string& urls) {
  std::vector<std::string> parts;
  size_t begin = 0;
  while (begin <= urls.size()) {
    const size_t end = std::min(urls.find(',', begin), urls.size());
    if (end > begin) parts.push_back(urls.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

}  // namespace

NatsConnection::NatsConnection(NatsLoop& loop, Events events)
    : loop_(loop), shared_(std::make_shared<Shared>(loop, std::move(events))) {}

NatsConnection::~NatsConnection() { Close(); }

Status NatsConnection::Configure(natsOptions* options, const std::string& url) {
  using Holder = std::shared_ptr<Shared>;
  const std::vector<std::string> urls = SplitUrls(url);
  std::vector<const char*> servers;
  for (const std::string& one : urls) servers.push_back(one.c_str());
  if (servers.empty()) return absl::InvalidArgumentError("url is empty");
  if (natsOptions_SetServers(options, servers.data(), static_cast<int>(servers.size())) !=
      NATS_OK) {
    return absl::InvalidArgumentError("url \"" + url + "\" is not nats://host:port");
  }

  auto* holder = new Holder(shared_);
  const auto connected = [](natsConnection*, void* closure) {
    (*static_cast<Holder*>(closure))->PostEvent(&Events::on_connected);
  };
  const auto disconnected = [](natsConnection*, void* closure) {
    (*static_cast<Holder*>(closure))->PostEvent(&Events::on_disconnected);
  };
  const auto closed = [](natsConnection*, void* closure) { delete static_cast<Holder*>(closure); };
  const auto failed = [](natsConnection*, natsSubscription*, natsStatus status, void* closure) {
    if (status != NATS_SLOW_CONSUMER) return;
    (*static_cast<Holder*>(closure))->PostEvent(&Events::on_messages_dropped);
  };
  natsStatus s = natsOptions_SetMaxReconnect(options, -1);
  // Zero is the point: what cannot be sent now is refused, never sent later.
  if (s == NATS_OK) s = natsOptions_SetReconnectBufSize(options, 0);
  if (s == NATS_OK) s = natsOptions_SetReconnectWait(options, kNatsReconnectWaitMs);
  if (s == NATS_OK) {
    s = natsOptions_SetReconnectJitter(options, kNatsReconnectJitterMs, kNatsReconnectJitterMs);
  }
  if (s == NATS_OK) s = natsOptions_SetTimeout(options, kNatsDialTimeoutMs);
  if (s == NATS_OK) s = natsOptions_SetWriteDeadline(options, kNatsWriteDeadlineMs);
  if (s == NATS_OK) s = natsOptions_SetPingInterval(options, kNatsPingIntervalMs);
  if (s == NATS_OK) s = natsOptions_SetMaxPingsOut(options, kNatsPingsOutMax);
  if (s == NATS_OK) s = natsOptions_SetSendAsap(options, true);
  if (s == NATS_OK) s = natsOptions_UseGlobalMessageDelivery(options, true);
  if (s == NATS_OK) s = natsOptions_SetErrorHandler(options, failed, holder);
  if (s == NATS_OK) s = natsOptions_SetDisconnectedCB(options, disconnected, holder);
  if (s == NATS_OK) s = natsOptions_SetReconnectedCB(options, connected, holder);
  if (s == NATS_OK) s = natsOptions_SetRetryOnFailedConnect(options, true, connected, holder);
  if (s == NATS_OK) s = natsOptions_SetClosedCB(options, closed, holder);
  if (s == NATS_OK) return absl::OkStatus();
  delete holder;
  return NatsError("configure the connection", s);
}

Status NatsConnection::Start(const std::string& url) {
  natsOptions* raw = nullptr;
  if (const natsStatus s = natsOptions_Create(&raw); s != NATS_OK) {
    return NatsError("configure the connection", s);
  }
  const NatsPtr<natsOptions> options(raw);
  if (Status configured = Configure(raw, url); !configured.ok()) return configured;
  natsConnection* connection = nullptr;
  const natsStatus s = natsConnection_Connect(&connection, raw);
  connection_.reset(connection);
  if (s == NATS_OK) {
    shared_->PostEvent(&Events::on_connected);
    return absl::OkStatus();
  }
  if (s == NATS_NOT_YET_CONNECTED) return absl::OkStatus();  // goes on in the background
  return NatsError(("connect to " + url).c_str(), s);
}

void NatsConnection::Close() {
  shared_->Detach();
  if (connection_ != nullptr) natsConnection_Close(connection_.get());
}

NatsConnection::Sent NatsConnection::Publish(const std::string& subject, const std::string& reply,
                                             const Headers& headers, std::string_view payload,
                                             std::string* why) {
  natsMsg* raw = nullptr;
  natsStatus s = natsMsg_Create(&raw, subject.c_str(), reply.empty() ? nullptr : reply.c_str(),
                                payload.data(), static_cast<int>(payload.size()));
  const NatsPtr<natsMsg> message(raw);
  for (const auto& [name, value] : headers) {
    if (s == NATS_OK) s = natsMsgHeader_Set(raw, name, value.c_str());
  }
  if (s != NATS_OK) {
    *why = natsStatus_GetText(s);
    return Sent::kNo;
  }
  s = natsConnection_PublishMsg(connection_.get(), raw);
  if (s == NATS_OK) return Sent::kYes;
  *why = natsStatus_GetText(s);
  switch (s) {
    case NATS_INSUFFICIENT_BUFFER:  // no connection, and nothing is buffered
    case NATS_CONNECTION_CLOSED:
    case NATS_CONNECTION_DISCONNECTED:
    case NATS_NOT_YET_CONNECTED:
    case NATS_MAX_PAYLOAD:
    case NATS_INVALID_SUBJECT:
    case NATS_INVALID_ARG:
    case NATS_DRAINING:
    case NATS_NO_SERVER_SUPPORT:
      return Sent::kNo;
    default:
      return Sent::kMaybe;
  }
}

StatusOr<NatsPtr<natsSubscription>> NatsConnection::Subscribe(const std::string& subject,
                                                              uint64_t receiver, bool bounded) {
  using Closure = Receiver<Shared>;
  auto closure = std::make_unique<Closure>(Closure{shared_, receiver});
  const auto arrived = [](natsConnection*, natsSubscription*, natsMsg* message, void* to) {
    auto* target = static_cast<Closure*>(to);
    target->shared->PostMessage(target->id, message);
  };
  natsSubscription* raw = nullptr;
  natsStatus s =
      natsConnection_Subscribe(&raw, connection_.get(), subject.c_str(), arrived, closure.get());
  if (s != NATS_OK) return NatsError("subscribe", s);
  NatsPtr<natsSubscription> subscription(raw);
  s = natsSubscription_SetOnCompleteCB(
      raw, [](void* to) { delete static_cast<Closure*>(to); }, closure.get());
  closure.release();  // from here on, the library's: it may call with it until OnComplete
  if (s == NATS_OK && !bounded) s = natsSubscription_SetPendingLimits(raw, -1, -1);
  if (s != NATS_OK) return NatsError("subscribe", s);
  return subscription;
}

}  // namespace quern::cluster
