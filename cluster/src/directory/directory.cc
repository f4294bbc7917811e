#include "quern/cluster/directory.h"

#include <array>
#include <map>
#include <utility>

#include "directory/core.h"
#include "directory/finder.h"
#include "directory/host.h"
#include "directory/owner.h"
#include "sabotage.h"

namespace quern::cluster {

using internal::Unpack;

// Takes messages apart, holds back those of views to come, and hands them to the roles.
class Directory::Impl {
 public:
  Impl(DirectoryOptions options, Executor& executor, Clock& clock, Random& random, Logger& logger,
       DirectoryPort* port)
      : core_(std::move(options), executor, clock, random, logger, port),
        owner_(core_),
        host_(core_),
        finder_(core_) {
    core_.to_self = [this](remoting::SystemBody body, Reply reply) {
      remoting::NodeIdentity self;
      self.process_id = core_.self;
      if (const Member* member = core_.self_member()) self.node_id = member->node_id;
      OnMessage(self, std::move(body), std::move(reply));
    };
  }

  ~Impl() { core_.alive.reset(); }

  void OnView(const ViewPtr& view, bool continuous) {
    if (core_.view != nullptr && view->version <= core_.view->version) return;
    continuous = (continuous && core_.view != nullptr &&
                  core_.view->partition_count == view->partition_count) ||
                 internal::Planted(internal::Sabotage::kOwnAcrossSkippedView);
    const internal::PartitionMap before = std::exchange(core_.map, internal::PartitionMap(view));
    core_.view = view;
    // Hosts seal before owners may order under the new view.
    host_.OnView(continuous ? &before : nullptr);
    owner_.OnView(continuous);
    finder_.OnView();
    Release();
  }

  void OnServingUntil(Time until) {
    const bool was_fenced = core_.fenced();
    core_.serving_until = until;
    if (was_fenced && !core_.fenced()) owner_.OnServing();
  }

  void Freeze() { core_.frozen = true; }

  void Reset(const remoting::ProcessId& new_self) {
    core_.alive = std::make_shared<const int>(0);
    core_.serving_until = Time::min();
    owner_.Reset();
    host_.Reset();
    finder_.Reset();
    held_.clear();
    core_.self = new_self;
    core_.view = nullptr;
    core_.map = {};
  }

  void OnMessage(const remoting::NodeIdentity& from, remoting::SystemBody body, Reply reply) {
    const auto found = Handlers().find(body.type);
    if (!reply) reply = [](StatusOr<remoting::SystemBody>) {};
    if (found == Handlers().end()) {
      return reply(absl::InvalidArgumentError("directory: unknown message " + body.type));
    }
    (this->*found->second)(from, std::move(body), std::move(reply));
  }

  static bool Handles(std::string_view type) { return Handlers().contains(type); }

  void OnDeactivated(const GrainId& id, const Epoch& epoch) { host_.OnDeactivated(id, epoch); }

  void Locate(const GrainId& id, const Epoch& stale, Time deadline, LocateDone done) {
    finder_.Locate(id, stale, deadline, std::move(done));
  }

  DirectoryStats stats() const {
    DirectoryStats stats = core_.stats;
    owner_.FillStats(&stats);
    stats.locates_waiting += finder_.waiting();
    stats.hosted = host_.size();
    return stats;
  }
  std::vector<DirectoryEntry> entries() const { return owner_.entries(); }
  std::vector<ActivationInfo> hosted() const { return host_.hosted(); }

 private:
  using Handler = void (Impl::*)(const remoting::NodeIdentity&, remoting::SystemBody, Reply);

  // A message of a view that is not here yet. The closures run once it is, or are told to give up.
  struct Held {
    uint64_t version;
    Time expires;
    std::function<void()> run;
    Reply reply;
  };

  static const std::map<std::string, Handler, std::less<>>& Handlers() {
    static const auto* handlers = new std::map<std::string, Handler, std::less<>>{
        {v1::LocateRequest::descriptor()->full_name(), &Impl::OnLocate},
        {v1::ActivateRequest::descriptor()->full_name(), &Impl::OnActivate},
        {v1::ActivationQuery::descriptor()->full_name(), &Impl::OnQuery},
        {v1::ReportRequest::descriptor()->full_name(), &Impl::OnReport},
        {v1::ReportReply::descriptor()->full_name(), &Impl::OnSurplus},
        {v1::ReportWanted::descriptor()->full_name(), &Impl::OnReportWanted},
        {v1::UnregisterRequest::descriptor()->full_name(), &Impl::OnUnregister},
    };
    return *handlers;
  }

  // Whoever is behind fetches before it answers: `run` waits until the message's view is here.
  template <typename M, typename Run>
  void Dispatch(remoting::SystemBody body, const Reply& reply, Run run) {
    StatusOr<M> message = Unpack<M>(std::move(body));
    if (!message.ok()) return reply(message.status());
    const uint64_t version = message->view_version();
    if (version > core_.version()) {
      core_.port->FetchView(version);
      if (held_.size() >= core_.options.held_messages_max) {
        return reply(
            absl::UnavailableError("view " + std::to_string(version) + " is not here yet"));
      }
      held_.push_back({version, core_.clock.Now() + core_.options.call_timeout,
                       [run, message = *std::move(message)] { run(message); }, reply});
      return ExpireHeld();
    }
    if (core_.view == nullptr) return reply(absl::UnavailableError("no view here yet"));
    run(*message);
  }

  void Release() {
    std::vector<Held> all = std::exchange(held_, {});
    for (Held& held : all) {
      if (held.version <= core_.version()) {
        core_.After(Duration::zero(), std::move(held.run));
      } else {
        held_.push_back(std::move(held));
      }
    }
  }

  void ExpireHeld() {
    if (held_.size() > 1) return;  // a timer runs
    core_.After(core_.options.call_timeout, [this] {
      std::vector<Held> all = std::exchange(held_, {});
      for (Held& held : all) {
        if (held.expires > core_.clock.Now()) {
          held_.push_back(std::move(held));
          ExpireHeld();
        } else {
          held.reply(
              absl::UnavailableError("view " + std::to_string(held.version) + " did not arrive"));
        }
      }
    });
  }

  void OnLocate(const remoting::NodeIdentity& from, remoting::SystemBody body, Reply reply) {
    Dispatch<v1::LocateRequest>(std::move(body), reply, [this, from, reply](const auto& request) {
      owner_.OnLocate(from, request, reply);
    });
  }
  void OnActivate(const remoting::NodeIdentity& from, remoting::SystemBody body, Reply reply) {
    Dispatch<v1::ActivateRequest>(std::move(body), reply, [this, from, reply](const auto& request) {
      host_.OnActivate(from, request, reply);
    });
  }
  void OnQuery(const remoting::NodeIdentity&, remoting::SystemBody body, Reply reply) {
    Dispatch<v1::ActivationQuery>(
        std::move(body), reply, [this, reply](const auto& query) { host_.OnQuery(query, reply); });
  }
  void OnReport(const remoting::NodeIdentity& from, remoting::SystemBody body, Reply reply) {
    Dispatch<v1::ReportRequest>(std::move(body), reply, [this, from, reply](const auto& report) {
      owner_.OnReport(from, report, reply);
    });
  }
  void OnSurplus(const remoting::NodeIdentity&, remoting::SystemBody body, Reply reply) {
    Dispatch<v1::ReportReply>(std::move(body), reply,
                              [this](const auto& surplus) { host_.OnSurplus(surplus); });
  }
  void OnReportWanted(const remoting::NodeIdentity& from, remoting::SystemBody body, Reply reply) {
    Dispatch<v1::ReportWanted>(std::move(body), reply, [this, from](const auto& wanted) {
      host_.OnReportWanted(from, wanted);
    });
  }
  void OnUnregister(const remoting::NodeIdentity& from, remoting::SystemBody body, Reply reply) {
    Dispatch<v1::UnregisterRequest>(
        std::move(body), reply,
        [this, from, reply](const auto& request) { owner_.OnUnregister(from, request, reply); });
  }

  internal::DirectoryCore core_;
  internal::GrainOwner owner_;
  internal::GrainHost host_;
  internal::GrainFinder finder_;
  std::vector<Held> held_;
};

Directory::Directory(DirectoryOptions options, Executor& executor, Clock& clock, Random& random,
                     Logger& logger, DirectoryPort* port)
    : impl_(std::make_unique<Impl>(std::move(options), executor, clock, random, logger, port)) {}
Directory::~Directory() = default;

void Directory::OnView(const ViewPtr& view, bool continuous) { impl_->OnView(view, continuous); }
void Directory::OnServingUntil(Time until) { impl_->OnServingUntil(until); }
void Directory::Freeze() { impl_->Freeze(); }
void Directory::Reset(const remoting::ProcessId& new_self) { impl_->Reset(new_self); }
bool Directory::Handles(std::string_view type) { return Impl::Handles(type); }
void Directory::OnMessage(const remoting::NodeIdentity& from, remoting::SystemBody body,
                          Reply reply) {
  impl_->OnMessage(from, std::move(body), std::move(reply));
}
void Directory::OnDeactivated(const GrainId& id, const Epoch& epoch) {
  impl_->OnDeactivated(id, epoch);
}
void Directory::Locate(const GrainId& id, const Epoch& stale, Time deadline, LocateDone done) {
  impl_->Locate(id, stale, deadline, std::move(done));
}
DirectoryStats Directory::stats() const { return impl_->stats(); }
std::vector<DirectoryEntry> Directory::entries() const { return impl_->entries(); }
std::vector<ActivationInfo> Directory::hosted() const { return impl_->hosted(); }

}  // namespace quern::cluster
