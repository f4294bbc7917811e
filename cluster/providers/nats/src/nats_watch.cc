#include "nats_watch.h"

#include <charconv>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "nats_limits.h"

namespace quern::cluster {
namespace {

std::string_view HeaderOf(natsMsg* message, const char* name) {
  const char* value = nullptr;
  if (natsMsgHeader_Get(message, name, &value) != NATS_OK || value == nullptr) return {};
  return value;
}

}  // namespace

NatsWatch::NatsWatch(uint64_t id, NatsLoop& loop, NatsConnection& connection,
                     NatsRequests& requests, const NatsBucket& bucket, std::string prefix,
                     Duration audit, ControlPlane::WatchCallback on_event)
    : id_(id),
      loop_(loop),
      connection_(connection),
      requests_(requests),
      bucket_(bucket),
      prefix_(prefix.ends_with('.') ? prefix.substr(0, prefix.size() - 1) : prefix),
      audit_(audit),
      on_event_(std::move(on_event)) {}

void NatsWatch::Start() {
  // Heard before read: the server sees the subscription before the listing's request.
  std::vector<std::string> subjects;
  if (prefix_.empty()) {
    subjects.push_back(bucket_.EventSubject(">"));
  } else {
    subjects.push_back(bucket_.EventSubject(prefix_));
    subjects.push_back(bucket_.EventSubject(prefix_ + ".>"));
  }
  for (const std::string& subject : subjects) {
    auto subscription = connection_.Subscribe(subject, id_, /*bounded=*/true);
    if (subscription.ok()) subscriptions_.push_back(*std::move(subscription));
  }
  Read();
}

void NatsWatch::Took(natsMsg* message) {
  if (stopped_) return;
  const std::string_view key = bucket_.KeyOf(natsMsg_GetSubject(message));
  const std::string_view digits = HeaderOf(message, JSSequence);
  uint64_t revision = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), revision);
  if (key.empty() || revision == 0) return;
  const std::string_view operation = HeaderOf(message, "KV-Operation");
  const bool deleted = operation == "DEL" || operation == "PURGE";
  WatchEvent event;
  event.kind = deleted ? WatchEvent::Kind::kDeleted : WatchEvent::Kind::kPut;
  event.record.key = std::string(key);
  event.record.revision = revision;
  if (!deleted) {
    event.record.value.assign(natsMsg_GetData(message),
                              static_cast<size_t>(natsMsg_GetDataLength(message)));
  }
  PassOn(std::move(event));
}

void NatsWatch::PassOn(WatchEvent event) {
  Known& known = known_[event.record.key];
  if (event.record.revision <= known.revision) return;
  known.revision = event.record.revision;
  known.deleted = event.kind == WatchEvent::Kind::kDeleted;
  highest_ = std::max(highest_, event.record.revision);
  Emit(event);
}

void NatsWatch::Emit(const WatchEvent& event) {
  gate_.Run([&] { on_event_(event); });
}

void NatsWatch::OnGap() {
  if (stopped_) return;
  if (std::exchange(initial_done_, false)) Emit({WatchEvent::Kind::kGap, {}});
  Read();
}

void NatsWatch::Read() {
  loop_.Cancel(std::exchange(timer_, 0));
  ListBucket(
      loop_, requests_, bucket_, prefix_, kNatsWatchReadTimeout,
      [weak = weak_from_this(), round = ++round_, heard = highest_](StatusOr<NatsListing> listing) {
        const auto self = weak.lock();
        if (!self || self->stopped_ || round != self->round_) return;
        self->TookListing(heard, std::move(listing));
      });
}

void NatsWatch::ReadLater(Duration pause) {
  timer_ = loop_.After(pause, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self && !self->stopped_) self->Read();
  });
}

void NatsWatch::TookListing(uint64_t heard, StatusOr<NatsListing> listing) {
  if (absl::IsCancelled(listing.status())) return;
  if (!listing.ok()) return ReadLater(kNatsWatchRetryPause);
  const bool another_stream = !created_.empty() && listing->created != created_;
  created_ = listing->created;
  if (another_stream) {  // revisions count from one again
    known_.clear();
    highest_ = 0;
    if (std::exchange(initial_done_, false)) Emit({WatchEvent::Kind::kGap, {}});
  } else if (listing->last_sequence < heard) {  // an old leader answered
    return ReadLater(kNatsWatchRetryPause);
  }
  const bool pass_on_all = !initial_done_;
  Compare(*listing, pass_on_all);
  if (pass_on_all) {
    initial_done_ = true;
    Emit({WatchEvent::Kind::kInitialDone, {}});
  }
  // The callbacks may have ended the watch.
  if (!stopped_ && !gate_.closed()) ReadLater(audit_);
}

void NatsWatch::Compare(const NatsListing& listing, bool pass_on_all) {
  std::unordered_set<std::string> listed;
  for (const StoredMessage& message : listing.messages) {
    listed.insert(message.subject);
    Known& known = known_[message.subject];
    const bool news = message.sequence > known.revision;
    const bool again = pass_on_all && message.sequence == known.revision;
    if (!news && !again) continue;
    const bool was_there = known.revision != 0 && !known.deleted;
    known = {message.sequence, message.deleted};
    highest_ = std::max(highest_, message.sequence);
    const Record record{message.subject, message.value, message.sequence};
    if (!message.deleted) {
      Emit({WatchEvent::Kind::kPut, record});
    } else if (was_there && !pass_on_all) {
      Emit({WatchEvent::Kind::kDeleted, record});
    }
  }
  // What the bucket has forgotten (a lease's age) went silently.
  for (auto known = known_.begin(); known != known_.end();) {
    const bool gone =
        !listed.contains(known->first) && known->second.revision <= listing.last_sequence;
    if (!gone) {
      ++known;
      continue;
    }
    const Record record{known->first, {}, known->second.revision};
    const bool was_there = !known->second.deleted;
    known = known_.erase(known);
    if (was_there && !pass_on_all) Emit({WatchEvent::Kind::kDeleted, record});
  }
}

void NatsWatch::Stop() {
  stopped_ = true;
  loop_.Cancel(std::exchange(timer_, 0));
  subscriptions_.clear();
}

}  // namespace quern::cluster
