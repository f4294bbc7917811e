#include "quern/testing/sim_cluster.h"

#include <algorithm>
#include <utility>

#include "quern/cluster/keys.h"
#include "quern/cluster/v1/cluster.pb.h"

namespace quern::testing {

SimCluster::SimCluster(uint64_t seed, SimOptions options)
    : seed_(seed),
      options_(std::move(options)),
      oracles_(time_,
               [this](const remoting::ProcessId& process) {
                 const SimNode* node = FindProcess(process);
                 return node != nullptr && node->MayServe();
               }),
      store_executor_(time_.NewExecutor()),
      random_(SeededRandom(seed)),
      net_(time_, random_->Fork("net"), options_.net),
      store_(*store_executor_, random_->Fork("store"),
             {.latency_min = std::chrono::microseconds(200),
              .latency_max = options_.store_delay_max,
              .late_by = std::chrono::seconds(1)}) {}

SimCluster::~SimCluster() { nodes_.clear(); }

SimNode* SimCluster::FindProcess(const remoting::ProcessId& process) const {
  for (const auto& [name, node] : nodes_) {
    if (node->process() == process) return node.get();
  }
  return nullptr;
}

SimNode& SimCluster::Boot(const std::string& name) {
  Kill(name);
  const SimWorld world{
      time_,    net_,
      store_,   oracles_,
      options_, [this](const remoting::ProcessId& p) { return FindProcess(p) != nullptr; }};
  auto& node = nodes_[name];
  node = std::make_unique<SimNode>(world, name, random_->Next() ^ seed_);
  node->Join();
  return *node;
}

bool SimCluster::Start(const std::vector<std::string>& names) {
  for (const std::string& name : names) Boot(name);
  return RunUntil([this] { return WhyNotQuiet().empty(); }, std::chrono::seconds(30));
}

Status SimCluster::AskFrom(const std::string& name, const GrainId& id, Duration timeout) {
  // The answer may come after we have stopped waiting for it.
  const auto answer = std::make_shared<std::optional<Status>>();
  node(name).Ask(id, timeout, [answer](const Status& status) { *answer = status; });
  RunUntil([&] { return answer->has_value(); }, timeout + std::chrono::seconds(1));
  return answer->value_or(absl::DeadlineExceededError("never answered"));
}

std::string SimCluster::Where(const GrainId& id) const {
  for (const auto& [name, node] : nodes_) {
    const std::vector<GrainId> active = node->host().active();
    if (node->MayServe() && std::ranges::count(active, id) > 0) return name;
  }
  return "";
}

std::string SimCluster::OwnerOf(const GrainId& id) {
  cluster::ViewPtr newest;
  for (const auto& [name, node] : nodes_) {
    const cluster::ViewPtr view = node->membership().view();
    if (view != nullptr && (newest == nullptr || view->version > newest->version)) newest = view;
  }
  if (newest == nullptr) return "";
  const cluster::Member* owner = cluster::OwnerOf(cluster::PartitionOf(id, *newest), *newest);
  return owner == nullptr ? "" : owner->node_id;
}

GrainId SimCluster::GrainOwnedBy(const std::string& name) {
  for (int i = 0;; ++i) {
    GrainId id("sim", "of-" + name + "-" + std::to_string(i));
    if (OwnerOf(id) == name) return id;
  }
}

void SimCluster::CutBoth(const std::string& a, const std::string& b) {
  net_.Cut(a, b);
  net_.Cut(b, a);
}

void SimCluster::HealAll() {
  net_.HealAll();
  SimNet::Options options = net_.options();
  options.loss = options.repeat = 0;
  net_.set_options(options);
  for (const auto& [name, node] : nodes_) {
    if (node->frozen()) node->Thaw();
    for (const std::string& link : {name, name + ".lease", name + ".state"}) {
      store_.Stall(link, false);
      store_.CutOff(link, false);
      store_.ServeStaleReads(link, false);
      store_.Deafen(link, false);
      store_.SetFaultShares(link, {});
    }
    net_.Refuse(node->peer().address, false);
  }
}

std::string SimCluster::WhyNotQuiet() const {
  cluster::ViewPtr view;
  for (const auto& [name, node] : nodes_) {
    if (!node->IsServing()) return name + " does not serve: " + node->Describe();
    const cluster::ViewPtr seen = node->membership().view();
    if (view != nullptr && seen->version != view->version) return name + " has another view";
    view = seen;
  }
  if (view == nullptr || view->members.size() != nodes_.size()) return "the view has ghosts";
  for (const auto& [name, node] : nodes_) {
    const cluster::DirectoryStats stats = node->directory().stats();
    if (stats.partitions_rebuilding > 0) return name + " rebuilds";
    if (stats.locates_waiting > 0) return name + " has locates waiting";
    for (const cluster::DirectoryEntry& entry : node->directory().entries()) {
      SimNode* host = FindProcess(entry.host);
      if (host == nullptr) return name + " has an entry of a dead node: " + entry.id.ToString();
      const std::vector<ActivationInfo> hosted = host->directory().hosted();
      const bool there = std::ranges::any_of(hosted, [&](const ActivationInfo& info) {
        return info.id == entry.id && info.epoch == entry.epoch;
      });
      if (!there) return name + " has an entry without activation: " + entry.id.ToString();
    }
  }
  return "";
}

bool SimCluster::RunUntilQuiet(Duration limit) {
  const bool quiet = RunUntil([this] { return WhyNotQuiet().empty(); }, limit);
  if (!quiet) {
    oracles_.Fail("no convergence: " + WhyNotQuiet());
    return false;
  }
  for (const auto& [name, node] : nodes_) {
    std::vector<GrainId> ids;
    for (const auto& [id, count] : oracles_.acknowledged()) ids.push_back(id);
    for (const GrainId& id : ids) {
      const Status status = AskFrom(name, id);
      if (!status.ok()) oracles_.Fail("after all: " + id.ToString() + ": " + status.ToString());
    }
  }
  CheckStored();
  return oracles_.violations().empty();
}

void SimCluster::CheckStored() {
  const std::unique_ptr<cluster::EmbeddedControlPlane> plane =
      store_.Connect("oracle", *store_executor_);
  std::vector<cluster::Record> records;
  const std::map<GrainId, uint64_t> acknowledged = oracles_.acknowledged();
  plane->List(cluster::Table::kState, "sim.state", std::chrono::seconds(1),
              [&](const StatusOr<std::vector<cluster::Record>>& list) { records = list.value(); });
  RunFor(std::chrono::seconds(1));
  std::map<std::string, uint64_t> stored;
  for (const cluster::Record& record : records) {
    cluster::v1::GrainState state;
    state.ParseFromString(record.value);
    stored[record.key] = state.marks().contains("events") ? state.marks().at("events") : 0;
  }
  for (const auto& [id, count] : acknowledged) {
    oracles_.CheckStored(id, count, stored[cluster::StateKey("sim", id)]);
  }
}

}  // namespace quern::testing
