#include "quern/datacenter/registry.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "quern/cluster/keys.h"
#include "quern/cluster/store_incarnation.h"
#include "quern/datacenter/v1/datacenter.pb.h"

namespace quern::datacenter {
namespace {

using cluster::CasOutcome;
using cluster::CasResult;
using cluster::Table;
using cluster::WatchEvent;

constexpr char kKeyType[] = "datacenter";

DatacenterState StateFromProto(v1::Datacenter::State state) {
  switch (state) {
    case v1::Datacenter::STATE_ACTIVE:
      return DatacenterState::kActive;
    case v1::Datacenter::STATE_DRAINING:
      return DatacenterState::kDraining;
    case v1::Datacenter::STATE_INACTIVE:
      return DatacenterState::kInactive;
    default:
      return DatacenterState::kRegistered;
  }
}

v1::Datacenter::State StateToProto(DatacenterState state) {
  switch (state) {
    case DatacenterState::kRegistered:
      return v1::Datacenter::STATE_REGISTERED;
    case DatacenterState::kActive:
      return v1::Datacenter::STATE_ACTIVE;
    case DatacenterState::kDraining:
      return v1::Datacenter::STATE_DRAINING;
    case DatacenterState::kInactive:
      return v1::Datacenter::STATE_INACTIVE;
  }
  return v1::Datacenter::STATE_UNSPECIFIED;
}

DatacenterInfo InfoFromProto(const v1::Datacenter& record) {
  DatacenterInfo info;
  info.id = record.id();
  info.region = record.region();
  info.zone = record.zone();
  info.state = StateFromProto(record.state());
  for (const v1::Endpoint& endpoint : record.gateways()) {
    remoting::PeerAddress gateway{.address = endpoint.address(), .process_id = {}};
    const size_t bytes = std::min(endpoint.process_id().size(), gateway.process_id.size());
    std::copy_n(endpoint.process_id().begin(), bytes, gateway.process_id.begin());
    info.gateways.push_back(std::move(gateway));
  }
  info.kinds.assign(record.kinds().begin(), record.kinds().end());
  return info;
}

// Changes what this author owns; the rest of the record, unknown fields included, stays.
void Apply(const Authorship& author, v1::Datacenter* record) {
  record->set_id(author.info.id);
  record->set_region(author.info.region);
  record->set_zone(author.info.zone);
  record->set_state(StateToProto(author.info.state));
  record->clear_gateways();
  for (size_t i = 0; i < author.info.gateways.size(); ++i) {
    v1::Endpoint* endpoint = record->add_gateways();
    endpoint->set_address(author.info.gateways[i].address);
    const remoting::ProcessId& process = author.info.gateways[i].process_id;
    endpoint->set_process_id(std::string(process.begin(), process.end()));
    if (i < author.gateway_node_ids.size()) endpoint->set_node_id(author.gateway_node_ids[i]);
  }
  record->clear_kinds();
  for (const std::string& kind : author.info.kinds) record->add_kinds(kind);
  record->set_author_incarnation(author.incarnation);
  record->set_author_view_version(author.view_version);
  record->set_author_node_id(author.node_id);
  record->set_lease_counter(record->lease_counter() + 1);
}

bool IsHigherAuthor(const v1::Datacenter& record, const Authorship& author) {
  return std::pair(record.author_incarnation(), record.author_view_version()) >
         std::pair(author.incarnation, author.view_version);
}

}  // namespace

std::string_view DatacenterStateName(DatacenterState state) {
  switch (state) {
    case DatacenterState::kRegistered:
      return "registered";
    case DatacenterState::kActive:
      return "active";
    case DatacenterState::kDraining:
      return "draining";
    case DatacenterState::kInactive:
      return "inactive";
  }
  return "unknown";
}

// Callbacks of the control plane and of timers hold it weakly: they may arrive after the registry
// is gone.
class Registry::Impl : public std::enable_shared_from_this<Registry::Impl> {
 public:
  Impl(Options options, cluster::ControlPlane& global, Executor& executor, Clock& clock,
       Random& random, Logger& logger)
      : options_(std::move(options)),
        global_(global),
        executor_(executor),
        clock_(clock),
        random_(random),
        logger_(logger) {}

  void Start() {
    cluster::OpenStoreIncarnation(
        global_, executor_,
        {.cluster = options_.cluster_id,
         .timeout = options_.try_timeout * 10,
         .clock = &clock_,
         .random = &random_},
        OnExecutor<StatusOr<cluster::StoreIdentity>>(
            [](Impl& self, const StatusOr<cluster::StoreIdentity>& store) {
              self.OnStore(store);
            }));
    ScheduleStaleCheck();
  }

  void Author(Authorship authorship) {
    author_ = std::move(authorship);
    ++author_epoch_;
    Write();
  }

  void Yield() {
    author_.reset();
    ++author_epoch_;
  }

  void Retire(DatacenterState last, std::function<void(Status)> done) {
    if (!author_) return done(absl::OkStatus());
    author_->info.state = last;
    retired_ = std::move(done);
    ++author_epoch_;
    Write();
  }

  // Ends the watch before the registry is gone; a callback that runs is waited for.
  void Stop() { watch_.reset(); }

  StatusOr<DatacenterInfo> Find(std::string_view id) const {
    absl::MutexLock lock(&mutex_);
    const auto found = entries_.find(std::string(id));
    if (found == entries_.end()) {
      return absl::NotFoundError("datacenter " + std::string(id) +
                                 ": no such record in the global control plane");
    }
    return Usable(found->second);
  }

  std::vector<DatacenterInfo> All() const {
    absl::MutexLock lock(&mutex_);
    std::vector<DatacenterInfo> all;
    for (const auto& [id, entry] : entries_) {
      all.push_back(InfoFromProto(entry.record));
      all.back().stale = IsStale(entry);
    }
    return all;
  }

  void Observe(std::function<void()> changed) {
    executor_.Post([weak = weak_from_this(), changed = std::move(changed)]() mutable {
      const auto self = weak.lock();
      if (!self) return;
      changed();
      self->observers_.push_back(std::move(changed));
    });
  }

 private:
  struct Entry {
    v1::Datacenter record;
    uint64_t revision = 0;
    Time moved;  // when it was last seen to move, on this observer's clock
  };

  // A callback that may come on any thread, carried to the executor.
  template <typename Result>
  std::function<void(Result)> OnExecutor(std::function<void(Impl&, const Result&)> then) {
    return [weak = weak_from_this(), executor = &executor_, then = std::move(then)](Result result) {
      const auto alive = weak.lock();
      if (!alive) return;
      executor->Post([weak, then, result = std::move(result)] {
        if (const auto self = weak.lock()) then(*self, result);
      });
    };
  }

  void After(Duration delay, std::function<void(Impl&)> then) {
    executor_.PostAfter(delay, [weak = weak_from_this(), then = std::move(then)] {
      if (const auto self = weak.lock()) then(*self);
    });
  }

  void OnStore(const StatusOr<cluster::StoreIdentity>& store) {
    if (!store.ok()) {
      logger_.Log(LogLevel::kWarn, "global control plane does not answer, trying again",
                  {{"error", store.status().ToString()}});
      return After(options_.try_timeout, [](Impl& self) { self.Start(); });
    }
    keys_.emplace(options_.cluster_id, store->id);
    const auto post =
        OnExecutor<WatchEvent>([](Impl& self, const WatchEvent& event) { self.OnEvent(event); });
    watch_ = global_.Watch(Table::kControl, keys_->Prefix(kKeyType), post);
    if (author_) Write();
  }

  void OnEvent(const WatchEvent& event) {
    if (event.kind != WatchEvent::Kind::kPut && event.kind != WatchEvent::Kind::kDeleted) return;
    Adopt(event.record, event.kind == WatchEvent::Kind::kDeleted);
  }

  // Takes a record as read; older revisions than the one known are ignored.
  void Adopt(const cluster::Record& record, bool deleted) {
    v1::Datacenter parsed;
    if (!deleted && !parsed.ParseFromString(record.value)) {
      logger_.Log(LogLevel::kError, "datacenter record does not parse, ignored",
                  {{"key", record.key}});
      return;
    }
    {
      absl::MutexLock lock(&mutex_);
      if (deleted) {
        std::erase_if(entries_,
                      [&](const auto& entry) { return KeyOf(entry.first) == record.key; });
      } else {
        Entry& entry = entries_[parsed.id()];
        if (record.revision <= entry.revision) return;
        entry = Entry{std::move(parsed), record.revision, clock_.Now()};
      }
    }
    NotifyIfChanged();
  }

  std::string KeyOf(std::string_view id) const { return keys_->Key(kKeyType, id); }

  bool IsStale(const Entry& entry) const { return clock_.Now() - entry.moved > options_.lease; }

  StatusOr<DatacenterInfo> Usable(const Entry& entry) const {
    DatacenterInfo info = InfoFromProto(entry.record);
    if (info.state == DatacenterState::kDraining || info.state == DatacenterState::kInactive) {
      return WithReason(absl::UnavailableError("datacenter " + info.id + " is " +
                                               std::string(DatacenterStateName(info.state))),
                        Reason::kDcDraining);
    }
    if (IsStale(entry)) {
      const auto silent =
          std::chrono::duration_cast<std::chrono::seconds>(clock_.Now() - entry.moved);
      return WithReason(
          absl::UnavailableError("datacenter " + info.id + ": its record has not moved for " +
                                 std::to_string(silent.count()) +
                                 " s; are its nodes and the global control plane up?"),
          Reason::kDcStale);
    }
    return info;
  }

  // ---- Writing ----

  void Write() {
    if (!author_ || !keys_ || writing_) return;
    v1::Datacenter record;
    uint64_t expected = 0;
    {
      absl::MutexLock lock(&mutex_);
      if (const auto found = entries_.find(author_->info.id); found != entries_.end()) {
        record = found->second.record;
        expected = found->second.revision;
      }
    }
    if (IsHigherAuthor(record, *author_)) {
      logger_.Log(LogLevel::kInfo, "another coordinator writes the datacenter record",
                  {{"datacenter", author_->info.id}, {"author", record.author_node_id()}});
      return FinishRetiring(
          absl::AbortedError("a higher author wrote the record of " + author_->info.id));
    }
    Apply(*author_, &record);
    record.set_nonce(random_.Next());
    writing_ = true;
    const std::string key = KeyOf(author_->info.id);
    const std::string value = record.SerializeAsString();
    auto done =
        OnExecutor<CasResult>([record, epoch = author_epoch_](Impl& self, const CasResult& result) {
          self.OnWritten(record, epoch, result);
        });
    if (expected == 0) {
      global_.Create(Table::kControl, key, value, options_.try_timeout, std::move(done));
    } else {
      global_.Update(Table::kControl, key, value, expected, options_.try_timeout, std::move(done));
    }
  }

  void OnWritten(const v1::Datacenter& record, uint64_t epoch, const CasResult& result) {
    writing_ = false;
    if (result.outcome == CasOutcome::kApplied) {
      Adopt(cluster::Record{KeyOf(record.id()), record.SerializeAsString(), result.revision},
            false);
      if (epoch != author_epoch_) return Write();  // changed meanwhile
      FinishRetiring(absl::OkStatus());
      return After(options_.renew_every, [epoch](Impl& self) {
        if (epoch == self.author_epoch_) self.Write();
      });
    }
    // Refused, unsent and unknown alike: read what stands there and decide by the next
    // compare-and-set.
    if (!author_) return;
    const auto then = OnExecutor<StatusOr<cluster::Record>>(
        [](Impl& self, const StatusOr<cluster::Record>& read) { self.OnReread(read); });
    global_.Get(Table::kControl, KeyOf(record.id()), options_.try_timeout, then);
  }

  void OnReread(const StatusOr<cluster::Record>& read) {
    if (read.ok()) {
      Adopt(*read, false);
      return Write();
    }
    if (absl::IsNotFound(read.status())) {
      absl::MutexLock lock(&mutex_);
      if (author_) entries_.erase(author_->info.id);
    }
    After(options_.try_timeout / 2, [](Impl& self) { self.Write(); });
  }

  void FinishRetiring(const Status& status) {
    if (!retired_) return;
    Yield();
    std::exchange(retired_, nullptr)(status);
  }

  // ---- Telling ----

  void ScheduleStaleCheck() {
    if (std::exchange(checking_, true)) return;
    CheckStale();
  }

  void CheckStale() {
    NotifyIfChanged();
    After(options_.renew_every, [](Impl& self) { self.CheckStale(); });
  }

  // A renewal changes nothing for those who ask; only what Find answers does.
  void NotifyIfChanged() {
    std::string now;
    for (const DatacenterInfo& info : All()) {
      now += info.id + "/" + std::string(DatacenterStateName(info.state)) +
             (info.stale ? "/stale" : "");
      for (const remoting::PeerAddress& gateway : info.gateways) now += " " + gateway.address;
      now += "\n";
    }
    if (now == std::exchange(told_, now)) return;
    for (const auto& observer : observers_) observer();
  }

  const Options options_;
  cluster::ControlPlane& global_;
  Executor& executor_;
  Clock& clock_;
  Random& random_;
  Logger& logger_;

  // Executor only.
  std::optional<cluster::KeySpace> keys_;
  std::unique_ptr<cluster::WatchHandle> watch_;
  std::optional<Authorship> author_;
  uint64_t author_epoch_ = 0;
  bool writing_ = false;
  bool checking_ = false;
  std::function<void(Status)> retired_;
  std::vector<std::function<void()>> observers_;
  std::string told_;

  mutable absl::Mutex mutex_;
  std::map<std::string, Entry> entries_ ABSL_GUARDED_BY(mutex_);
};

Registry::Registry(Options options, cluster::ControlPlane& global, Executor& executor, Clock& clock,
                   Random& random, Logger& logger)
    : impl_(std::make_shared<Impl>(std::move(options), global, executor, clock, random, logger)) {}

Registry::~Registry() { impl_->Stop(); }

void Registry::Start() { impl_->Start(); }
void Registry::Author(Authorship authorship) { impl_->Author(std::move(authorship)); }
void Registry::Yield() { impl_->Yield(); }
void Registry::Retire(DatacenterState last, std::function<void(Status)> done) {
  impl_->Retire(last, std::move(done));
}
StatusOr<DatacenterInfo> Registry::Find(std::string_view id) const { return impl_->Find(id); }
std::vector<DatacenterInfo> Registry::All() const { return impl_->All(); }
void Registry::Observe(std::function<void()> changed) { impl_->Observe(std::move(changed)); }

}  // namespace quern::datacenter
