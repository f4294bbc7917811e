#include "nats_requests.h"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "nats_limits.h"

namespace quern::cluster {
namespace {

std::string_view Why(NatsAnswer::Kind kind) {
  switch (kind) {
    case NatsAnswer::Kind::kDisconnected:
      return "the connection broke before the answer";
    case NatsAnswer::Kind::kClosed:
      return "the control plane was closed";
    default:
      return "no answer in time";
  }
}

}  // namespace

Status NatsRequests::Open() {
  natsInbox* inbox = nullptr;
  if (natsInbox_Create(&inbox) != NATS_OK) return absl::UnavailableError("create an inbox");
  inbox_ = std::string(inbox) + ".";
  natsInbox_Destroy(inbox);
  auto subscription = connection_.Subscribe(inbox_ + "*", receiver_, /*bounded=*/false);
  if (!subscription.ok()) return subscription.status();
  subscription_ = *std::move(subscription);
  return absl::OkStatus();
}

void NatsRequests::Send(NatsRequest request, Duration timeout, OnAnswer on_answer) {
  if (closed_) return on_answer({NatsAnswer::Kind::kClosed, Why(NatsAnswer::Kind::kClosed)});
  if (flights_.size() < kNatsInFlightMax && waiting_.empty()) {
    return Launch(request, timeout, std::move(on_answer));
  }
  if (waiting_.size() >= kNatsBacklogMax) {
    return on_answer({NatsAnswer::Kind::kUnsent, "too many requests wait for the server"});
  }
  waiting_.push_back({std::move(request), loop_.clock().Now() + timeout, std::move(on_answer)});
}

void NatsRequests::Launch(const NatsRequest& request, Duration timeout, OnAnswer on_answer) {
  const uint64_t id = ++last_id_;
  std::string why;
  switch (connection_.Publish(request.subject, inbox_ + std::to_string(id), request.headers,
                              request.payload, &why)) {
    case NatsConnection::Sent::kNo:
      return on_answer({NatsAnswer::Kind::kUnsent, why});
    case NatsConnection::Sent::kMaybe:
      return on_answer({NatsAnswer::Kind::kDisconnected, why});
    case NatsConnection::Sent::kYes:
      break;
  }
  const uint64_t timer = loop_.After(timeout, [this, id] {
    Land(id, {NatsAnswer::Kind::kTimedOut, Why(NatsAnswer::Kind::kTimedOut)});
  });
  flights_.emplace(id, Flight{std::move(on_answer), timer});
}

void NatsRequests::LaunchWaiting() {
  while (!waiting_.empty() && flights_.size() < kNatsInFlightMax) {
    Waiting next = std::move(waiting_.front());
    waiting_.pop_front();
    const Duration left = next.deadline - loop_.clock().Now();
    if (left <= Duration::zero()) {
      next.on_answer({NatsAnswer::Kind::kUnsent, "waited too long for its turn"});
    } else {
      Launch(next.request, left, std::move(next.on_answer));
    }
  }
}

void NatsRequests::Land(uint64_t id, const NatsAnswer& answer) {
  const auto found = flights_.find(id);
  if (found == flights_.end()) return;
  const Flight flight = std::move(found->second);
  flights_.erase(found);
  loop_.Cancel(flight.timer);
  flight.on_answer(answer);
  LaunchWaiting();
}

void NatsRequests::Took(natsMsg* message) {
  const std::string_view subject = natsMsg_GetSubject(message);
  if (subject.size() <= inbox_.size()) return;
  const std::string_view digits = subject.substr(inbox_.size());
  uint64_t id = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), id);
  if (parsed.ec != std::errc()) return;
  if (natsMsg_IsNoResponders(message)) {
    return Land(id, {NatsAnswer::Kind::kNobody, "the server has no JetStream, or not this bucket"});
  }
  const auto length = static_cast<size_t>(natsMsg_GetDataLength(message));
  const std::string_view payload(natsMsg_GetData(message), length);
  Land(id, {NatsAnswer::Kind::kAnswered, payload});
}

void NatsRequests::FailAll(NatsAnswer::Kind kind) {
  std::vector<std::pair<uint64_t, Flight>> flights;
  flights.reserve(flights_.size());
  for (auto& [id, flight] : flights_) flights.emplace_back(id, std::move(flight));
  flights_.clear();
  std::ranges::sort(flights, {}, [](const auto& flight) { return flight.first; });
  for (const auto& [id, flight] : flights) {
    loop_.Cancel(flight.timer);
    flight.on_answer({kind, Why(kind)});
  }
  const bool closed = kind == NatsAnswer::Kind::kClosed;
  for (Waiting& next : std::exchange(waiting_, {})) {
    next.on_answer({closed ? kind : NatsAnswer::Kind::kUnsent, Why(kind)});
  }
}

void NatsRequests::Close() {
  closed_ = true;
  FailAll(NatsAnswer::Kind::kClosed);
}

}  // namespace quern::cluster
