#include "quern/runtime/system.h"

#include <string>
#include <utility>

#include <absl/strings/str_cat.h>

#include "actor/actor_cell.h"
#include "actor/dead_letters.h"
#include "grain/grain_host.h"
#include "metrics/collect.h"
#include "network/proxy_cell.h"
#include "quern/runtime/network_port.h"
#include "scheduler/scheduler.h"
#include "system/actor_listing.h"
#include "system/system_core.h"

namespace quern {
namespace {

SystemOptions Named(std::string_view name) {
  SystemOptions options;
  options.name = name;
  return options;
}

}  // namespace

System::System(std::string_view name) : System(Named(name)) {}

StatusOr<std::unique_ptr<System>> System::Start(SystemOptions options) {
  if (Status valid = options.Validate(); !valid.ok()) return valid;
  return std::make_unique<System>(std::move(options));
}

System::System(SystemOptions options) : core_(internal::SystemCore::Start(std::move(options))) {}

System::~System() {
  Stop();
  core_->Release();
}

NetworkPort& System::network_port() { return core_->network_port(); }
void System::Stop() { core_->StopBy(kNever).IgnoreError(); }  // hooks that fail are logged
Status System::StopWithin(Duration timeout) { return core_->StopWithin(timeout); }
Shutdown& System::shutdown() { return core_->shutdown(); }
const Extensions& System::extensions() const { return core_->options().extensions; }
MetricsSnapshot System::Metrics() const { return internal::CollectMetrics(*core_); }
Duration System::uptime() const { return core_->uptime(); }

ActorPage System::ListActors(const ListOptions& options) const {
  const internal::CellPtr<internal::ActorCell> root = core_->SharedRoot();
  return root ? internal::ListActors(*root, options) : ActorPage();
}

Status System::Kill(std::string_view path) {
  if (path.empty() || path == "/") return absl::InvalidArgumentError("kill /: that is Stop()");
  StatusOr<internal::CellPtr<internal::Cell>> cell = internal::FindActor(core_, path, nullptr, 0);
  if (!cell.ok()) return cell.status();
  (*cell)->RequestStop();
  return absl::OkStatus();
}

Status System::WaitUntilStopping() { return core_->WaitUntilStopping(); }
EventStream& System::events() const { return core_->events(); }
GrainPage System::ListGrains(const GrainListOptions& options) const {
  return core_->grain_host().List(options);
}
size_t System::CountGrains(std::string_view kind) const { return core_->grain_host().Count(kind); }
Clock& System::clock() const { return core_->clock(); }
Logger& System::logger() const { return core_->logger(); }
const std::string& System::name() const { return core_->options().name; }
int System::workers() const { return static_cast<int>(core_->scheduler().worker_count()); }
uint64_t System::dead_letters() const { return core_->dead_letters().count(); }
uint64_t System::dead_letters(DeadLetterReason reason) const {
  return core_->dead_letters().count(reason);
}
std::vector<DeadLetter> System::RecentDeadLetters() const { return core_->dead_letters().Recent(); }
uint64_t System::late_replies() const { return core_->asks().late(); }
void System::WaitUntilQuiet() { core_->scheduler().WaitUntilQuiet(); }

namespace internal {

StatusOr<CellPtr<Cell>> FindActor(SystemCore* core, std::string_view path,
                                  const Signature* const* signatures, size_t count) {
  const CellPtr<ActorCell> root = core->SharedRoot();
  const std::string_view below = path.starts_with('/') ? path.substr(1) : path;
  CellPtr<ActorCell> cell = root ? root->Find(below) : CellPtr<ActorCell>();
  if (!cell || cell->closed() || below.empty()) {
    return absl::NotFoundError(absl::StrCat("no actor at \"", std::string(path), "\""));
  }
  if (!cell->Handles(signatures, count)) {
    return absl::InvalidArgumentError(
        absl::StrCat(cell->Path(), " is a ", std::string(cell->ClassName()),
                     " and does not take every message of the Api it was looked up with"));
  }
  return CellPtr<Cell>::Adopt(cell.release());
}

Status HostGrain(SystemCore* core, const GrainType& type, GrainOptions options) {
  return core->grain_host().Host(type, std::move(options));
}

std::optional<GrainInfo> PeekGrain(SystemCore* core, const GrainId& id) {
  return core->grain_host().Peek(id);
}

Status DeactivateGrain(SystemCore* core, Cell* grain) {
  auto* proxy = dynamic_cast<GrainProxyCell*>(grain);
  if (proxy == nullptr || proxy->system_core() != core) {
    return absl::InvalidArgumentError(
        "deactivate: not a grain of this system; take the Ref from System::Grain");
  }
  return core->grain_host().Deactivate(proxy->grain_id(), absl::OkStatus());
}

}  // namespace internal
}  // namespace quern
