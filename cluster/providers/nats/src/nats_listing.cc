#include "nats_listing.h"

#include <algorithm>
#include <utility>

#include "nats_limits.h"

namespace quern::cluster {
namespace {

class Lister : public std::enable_shared_from_this<Lister> {
 public:
  Lister(NatsLoop& loop, NatsRequests& requests, const NatsBucket& bucket, std::string prefix,
         Duration timeout, OnNatsListing done)
      : loop_(loop),
        requests_(requests),
        bucket_(bucket),
        prefix_(std::move(prefix)),
        deadline_(loop.clock().Now() + timeout),
        done_(std::move(done)) {
    if (prefix_.ends_with('.')) prefix_.pop_back();
  }

  void AskPage() {
    const std::string filter = bucket_.Subject(prefix_.empty() ? ">" : prefix_ + ".>");
    requests_.Send(
        {.subject = "$JS.API.STREAM.INFO." + bucket_.stream,
         .payload = StreamSummaryRequest(filter, subjects_.size())},
        Left(), [self = shared_from_this()](const NatsAnswer& answer) { self->TookPage(answer); });
  }

 private:
  Duration Left() const {
    return std::max<Duration>(deadline_ - loop_.clock().Now(), std::chrono::milliseconds(1));
  }

  void TookPage(const NatsAnswer& answer) {
    if (answer.kind != NatsAnswer::Kind::kAnswered) return Fail(NoAnswer(answer));
    StatusOr<StreamSummary> page = ParseStreamSummary(answer.text);
    if (!page.ok()) return Fail(absl::UnavailableError(page.status().message()));
    if (subjects_.empty()) {
      listing_.created = page->created;
      listing_.last_sequence = page->last_sequence;
    }
    const bool more = !page->subjects.empty();
    for (std::string& subject : page->subjects) subjects_.push_back(std::move(subject));
    if (more && subjects_.size() < page->subjects_total) return AskPage();
    ReadAll();
  }

  void ReadAll() {
    std::vector<std::string> keys;
    keys.reserve(subjects_.size() + 1);
    for (const std::string& subject : subjects_) keys.emplace_back(bucket_.KeyOf(subject));
    if (!prefix_.empty()) keys.push_back(prefix_);  // the record of that very name
    unread_ = keys.size();
    if (unread_ == 0) return Finish();
    for (const std::string& key : keys) {
      ReadLastMessage(requests_, bucket_, key, Left(),
                      [self = shared_from_this(), key](StatusOr<StoredMessage> message) {
                        self->Took(key, std::move(message));
                      });
    }
  }

  void Took(const std::string& key, StatusOr<StoredMessage> message) {
    if (message.ok()) {
      message->subject = key;
      listing_.messages.push_back(*std::move(message));
    } else if (!absl::IsNotFound(message.status())) {
      Fail(message.status());
    }
    if (--unread_ == 0) Finish();
  }

  void Fail(Status status) {
    if (done_) std::exchange(done_, nullptr)(std::move(status));
  }

  void Finish() {
    if (done_) std::exchange(done_, nullptr)(std::move(listing_));
  }

  NatsLoop& loop_;
  NatsRequests& requests_;
  const NatsBucket& bucket_;
  std::string prefix_;
  const Time deadline_;
  OnNatsListing done_;
  std::vector<std::string> subjects_;
  size_t unread_ = 0;
  NatsListing listing_;
};

}  // namespace

Status NoAnswer(const NatsAnswer& answer) {
  const std::string why(answer.text);
  switch (answer.kind) {
    case NatsAnswer::Kind::kTimedOut:
      return absl::DeadlineExceededError(why);
    case NatsAnswer::Kind::kClosed:
      return absl::CancelledError(why);
    default:
      return absl::UnavailableError(why);
  }
}

void ListBucket(NatsLoop& loop, NatsRequests& requests, const NatsBucket& bucket,
                std::string prefix, Duration timeout, OnNatsListing done) {
  std::make_shared<Lister>(loop, requests, bucket, std::move(prefix), timeout, std::move(done))
      ->AskPage();
}

void ReadLastMessage(NatsRequests& requests, const NatsBucket& bucket, const std::string& key,
                     Duration timeout, std::function<void(StatusOr<StoredMessage>)> done) {
  requests.Send({.subject = "$JS.API.STREAM.MSG.GET." + bucket.stream,
                 .payload = LastMessageRequest(bucket.Subject(key))},
                timeout, [done = std::move(done)](const NatsAnswer& answer) {
                  if (answer.kind != NatsAnswer::Kind::kAnswered) return done(NoAnswer(answer));
                  done(ParseStoredMessage(answer.text));
                });
}

}  // namespace quern::cluster
