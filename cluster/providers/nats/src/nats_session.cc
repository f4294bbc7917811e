#include "nats_session.h"

#include <algorithm>
#include <utility>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "nats_limits.h"
#include "quern/cluster/keys.h"

namespace quern::cluster {
namespace {

constexpr uint64_t kInbox = 0;  // receiver of answers; watches are 1 and up

CasResult NoCasAnswer(const NatsAnswer& answer) {
  const bool never_there =
      answer.kind == NatsAnswer::Kind::kNobody || answer.kind == NatsAnswer::Kind::kUnsent;
  return {never_there ? CasOutcome::kUnsent : CasOutcome::kUnknown, 0, std::string(answer.text)};
}

}  // namespace

// A handle may outlive its plane; then there is nothing to end.
struct NatsControlPlane::Session::Tether {
  absl::Mutex mutex;
  Session* session ABSL_GUARDED_BY(mutex);
};

class NatsControlPlane::Session::Handle : public WatchHandle {
 public:
  Handle(std::shared_ptr<Tether> tether, std::shared_ptr<NatsWatch> watch)
      : tether_(std::move(tether)), watch_(std::move(watch)) {}
  ~Handle() override {
    watch_->Close();
    absl::MutexLock lock(&tether_->mutex);
    Session* const session = tether_->session;
    if (session == nullptr) return;
    session->loop_.Post([session, id = watch_->id()] { session->EndWatch(id); });
  }

 private:
  const std::shared_ptr<Tether> tether_;
  const std::shared_ptr<NatsWatch> watch_;
};

NatsControlPlane::Session::Session(NatsControlPlaneOptions options, const std::string& bucket)
    : options_(std::move(options)),
      buckets_{NatsBucket(bucket + "-control", Duration::zero()),
               NatsBucket(bucket + "-lease", kNatsLeaseAges * options_.lease_ttl),
               NatsBucket(bucket + "-state", Duration::zero())},
      loop_(*options_.clock,
            [this](uint64_t receiver, natsMsg* message) { OnMessage(receiver, message); }),
      connection_(loop_, {.on_connected = [this] { OnConnected(); },
                          .on_disconnected = [this] { OnDisconnected(); },
                          .on_messages_dropped =
                              [this] {
                                for (const auto& [id, watch] : watches_) watch->OnGap();
                              }}),
      requests_(loop_, connection_, kInbox),
      tether_(std::make_shared<Tether>()) {
  absl::MutexLock lock(&tether_->mutex);
  tether_->session = this;
}

NatsControlPlane::Session::~Session() {
  {
    absl::MutexLock lock(&tether_->mutex);
    tether_->session = nullptr;
  }
  loop_.Post([this] {
    for (const auto& [id, watch] : watches_) {
      watch->Close();
      watch->Stop();
    }
    watches_.clear();
    requests_.Close();
  });
  loop_.Stop();
  connection_.Close();
}

Status NatsControlPlane::Session::Open() {
  if (Status started = connection_.Start(options_.url); !started.ok()) {
    return absl::IsInvalidArgument(started)
               ? started
               : absl::UnavailableError("control plane " + options_.url + ": " +
                                        std::string(started.message()));
  }
  if (Status inbox = requests_.Open(); !inbox.ok()) return inbox;
  loop_.Start();
  opened_.WaitForNotificationWithTimeout(absl::FromChrono(options_.connect_timeout));
  loop_.Post([this] { AnswerOpen(set_up_error_); });
  opened_.WaitForNotification();
  return open_status_;
}

void NatsControlPlane::Session::AnswerOpen(Status status) {
  if (opened_.HasBeenNotified()) return;
  open_status_ = std::move(status);
  if (!open_status_.ok()) {
    open_status_ = Status(open_status_.code(), "control plane " + options_.url + ": " +
                                                   std::string(open_status_.message()));
  }
  opened_.Notify();
}

void NatsControlPlane::Session::OnMessage(uint64_t receiver, natsMsg* message) {
  if (receiver == kInbox) return requests_.Took(message);
  const auto found = watches_.find(receiver);
  if (found == watches_.end()) return;
  const std::shared_ptr<NatsWatch> watch = found->second;
  watch->Took(message);
}

void NatsControlPlane::Session::OnConnected() {
  if (!set_up_) return SetUp();
  options_.logger->Log(LogLevel::kInfo, "control plane reconnected", {{"url", options_.url}});
  for (NatsBucket& bucket : buckets_) CheckBucket(bucket);
  for (const auto& [id, watch] : std::map(watches_)) watch->OnGap();
}

void NatsControlPlane::Session::OnDisconnected() {
  if (set_up_) {
    options_.logger->Log(LogLevel::kWarn, "control plane disconnected", {{"url", options_.url}});
  }
  requests_.FailAll(NatsAnswer::Kind::kDisconnected);
}

// Runs until it has succeeded once; Open() may have given up before.
void NatsControlPlane::Session::SetUp() {
  if (set_up_ || opened_.HasBeenNotified()) return;
  for (const NatsBucket& bucket : buckets_) {
    const Status ensured = EnsureBucket(connection_.get(), bucket, options_.replicas);
    if (absl::IsFailedPrecondition(ensured)) return AnswerOpen(ensured);
    if (!ensured.ok()) return SetUpLater(ensured);
  }
  for (NatsBucket& bucket : buckets_) CheckBucket(bucket);
}

void NatsControlPlane::Session::SetUpLater(Status why) {
  set_up_error_ = std::move(why);
  loop_.Cancel(set_up_timer_);
  set_up_timer_ = loop_.After(kNatsSetupPause, [this] { SetUp(); });
}

void NatsControlPlane::Session::CheckBucket(NatsBucket& bucket) {
  requests_.Send({.subject = "$JS.API.STREAM.INFO." + bucket.stream}, kNatsWatchReadTimeout,
                 [this, &bucket](const NatsAnswer& answer) {
                   if (answer.kind == NatsAnswer::Kind::kAnswered) {
                     TookBucket(bucket, ParseStreamSummary(answer.text));
                   } else if (!set_up_) {
                     SetUpLater(NoAnswer(answer));
                   }
                 });
}

void NatsControlPlane::Session::TookBucket(NatsBucket& bucket,
                                           const StatusOr<StreamSummary>& summary) {
  if (!set_up_) {
    if (!summary.ok()) return SetUpLater(summary.status());
    bucket.created = summary->created;
    set_up_ = std::ranges::none_of(buckets_, [](const auto& b) { return b.created.empty(); });
    if (set_up_) AnswerOpen(absl::OkStatus());
    return;
  }
  const bool missing = absl::IsNotFound(summary.status());
  if (!missing && (!summary.ok() || bucket.created == summary->created)) return;
  store_recreated_ = true;
  options_.logger->Log(LogLevel::kError,
                       missing ? "control plane lost a bucket: its records are gone"
                               : "control plane bucket was rebuilt: its records are others",
                       {{"stream", bucket.stream}, {"url", options_.url}});
}

void NatsControlPlane::Session::Publish(const NatsMutation& mutation, Duration timeout,
                                        CasCallback done) {
  const NatsBucket& in = bucket(mutation.table);
  NatsRequest request{
      .subject = in.Subject(mutation.key),
      .headers = {{"Nats-Expected-Last-Subject-Sequence", std::to_string(mutation.expected)},
                  {"Nats-Expected-Stream", in.stream}},
      .payload = mutation.value.value_or(std::string())};
  if (!mutation.value) request.headers.emplace_back("KV-Operation", "DEL");
  requests_.Send(std::move(request), timeout, [done = std::move(done)](const NatsAnswer& answer) {
    if (answer.kind != NatsAnswer::Kind::kAnswered) return done(NoCasAnswer(answer));
    done(ParsePublishAnswer(answer.text));
  });
}

void NatsControlPlane::Session::Mutate(NatsMutation mutation, Duration timeout, CasCallback done) {
  loop_.Post([this, mutation = std::move(mutation), timeout, done = std::move(done)]() mutable {
    if (Status valid = ValidateKey(mutation.key); !valid.ok()) {
      return done({CasOutcome::kUnsent, 0, std::string(valid.message())});
    }
    // To JetStream an expected 0 is "no message"; to us no record is at revision 0.
    if (mutation.expected == 0)
      return done({CasOutcome::kRefused, 0, "no record is at revision 0"});
    Publish(mutation, timeout, std::move(done));
  });
}

void NatsControlPlane::Session::Create(Table table, std::string key, std::string value,
                                       Duration timeout, CasCallback done) {
  NatsMutation mutation{table, std::move(key), std::move(value), 0};
  loop_.Post([this, mutation = std::move(mutation), timeout, done = std::move(done)]() mutable {
    if (Status valid = ValidateKey(mutation.key); !valid.ok()) {
      return done({CasOutcome::kUnsent, 0, std::string(valid.message())});
    }
    const Time deadline = loop_.clock().Now() + timeout;
    Publish(mutation, timeout,
            [this, mutation, deadline, done = std::move(done)](CasResult result) mutable {
              if (result.outcome != CasOutcome::kRefused) return done(std::move(result));
              CreateOverTombstone(std::move(mutation), std::move(result), deadline,
                                  std::move(done));
            });
  });
}

// Refused: there is a message. If it is a tombstone, the record may be created at its revision.
void NatsControlPlane::Session::CreateOverTombstone(NatsMutation mutation, CasResult refusal,
                                                    Time deadline, CasCallback done) {
  const std::string key = mutation.key;
  ReadLastMessage(requests_, bucket(mutation.table), key, LeftUntil(deadline),
                  [this, mutation = std::move(mutation), refusal = std::move(refusal), deadline,
                   done = std::move(done)](StatusOr<StoredMessage> last) mutable {
                    if (!last.ok()) {
                      return done({CasOutcome::kUnsent, 0, std::string(last.status().message())});
                    }
                    if (!last->deleted) return done(std::move(refusal));
                    mutation.expected = last->sequence;
                    Publish(mutation, LeftUntil(deadline), std::move(done));
                  });
}

Duration NatsControlPlane::Session::LeftUntil(Time deadline) const {
  return std::max<Duration>(deadline - loop_.clock().Now(), std::chrono::milliseconds(1));
}

void NatsControlPlane::Session::Get(Table table, std::string key, Duration timeout,
                                    GetCallback done) {
  loop_.Post([this, table, key = std::move(key), timeout, done = std::move(done)]() mutable {
    if (Status valid = ValidateKey(key); !valid.ok()) return done(std::move(valid));
    ReadLastMessage(requests_, bucket(table), key, timeout,
                    [key, done = std::move(done)](StatusOr<StoredMessage> last) {
                      if (last.ok() && last->deleted) last = absl::NotFoundError("deleted");
                      if (!last.ok()) return done(last.status());
                      done(Record{key, std::move(last->value), last->sequence});
                    });
  });
}

void NatsControlPlane::Session::List(Table table, std::string prefix, Duration timeout,
                                     ListCallback done) {
  loop_.Post([this, table, prefix = std::move(prefix), timeout, done = std::move(done)]() mutable {
    if (Status valid = prefix.empty() ? absl::OkStatus() : ValidateKey(prefix + "x"); !valid.ok())
      return done(std::move(valid));
    ListBucket(loop_, requests_, bucket(table), std::move(prefix), timeout,
               [done = std::move(done)](StatusOr<NatsListing> listing) {
                 if (!listing.ok()) return done(listing.status());
                 std::vector<Record> records;
                 for (StoredMessage& message : listing->messages) {
                   if (message.deleted) continue;
                   records.push_back(
                       {std::move(message.subject), std::move(message.value), message.sequence});
                 }
                 done(std::move(records));
               });
  });
}

std::unique_ptr<WatchHandle> NatsControlPlane::Session::Watch(Table table, std::string prefix,
                                                              WatchCallback on_event) {
  auto watch =
      std::make_shared<NatsWatch>(++last_receiver_, loop_, connection_, requests_, bucket(table),
                                  std::move(prefix), options_.watch_audit, std::move(on_event));
  loop_.Post([this, watch] {
    watches_[watch->id()] = watch;
    watch->Start();
  });
  return std::make_unique<Handle>(tether_, std::move(watch));
}

void NatsControlPlane::Session::EndWatch(uint64_t id) {
  const auto found = watches_.find(id);
  if (found == watches_.end()) return;
  found->second->Stop();
  watches_.erase(found);
}

}  // namespace quern::cluster
