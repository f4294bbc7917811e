#include "quern/testing/sim_chaos.h"

#include <memory>
#include <utility>
#include <vector>

namespace quern::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

SimOptions OptionsFor(Random& random, const ChaosOptions& chaos) {
  SimOptions options;
  constexpr cluster::PlacementStrategy kStrategies[] = {
      cluster::PlacementStrategy::kHash, cluster::PlacementStrategy::kLocal,
      cluster::PlacementStrategy::kRandom, cluster::PlacementStrategy::kRoundRobin,
      cluster::PlacementStrategy::kLeastLoaded};
  options.placement = kStrategies[random.Below(5)];
  options.partitions = static_cast<uint32_t>(1 + random.Below(16));
  options.exit_provable = random.Below(3) != 0;
  options.one_machine = random.Below(3) == 0;
  options.ended_epochs_max = 1 + random.Below(64);
  options.net.delay_max = milliseconds(1 + random.Below(random.Below(4) == 0 ? 60 : 5));
  options.net.loss = random.Below(3) == 0 ? 0.02 : 0;
  options.net.repeat = random.Below(3) == 0 ? 0.02 : 0;
  options.store_delay_max = milliseconds(1 + random.Below(random.Below(4) == 0 ? 40 : 4));
  options.blind_saves = chaos.blind_saves;
  return options;
}

class Storm {
 public:
  Storm(uint64_t seed, const ChaosOptions& options)
      : options_(options),
        random_(SeededRandom(seed)),
        faults_(random_->Fork("faults")),
        sim_(seed, OptionsFor(*random_, options)),
        executor_(sim_.time().NewExecutor()) {}

  ChaosResult Run() {
    const uint64_t count = 2 + random_->Below(4);
    for (uint64_t i = 0; i < count; ++i) names_.push_back("n" + std::to_string(i));
    if (!sim_.Start(names_)) sim_.oracles().Fail("the cluster did not start");
    stormy_ = true;
    AskLater();
    FaultLater();
    sim_.RunFor(options_.storm);
    stormy_ = false;
    sim_.HealAll();
    for (const std::string& name : names_) {
      if (!sim_.Has(name) || sim_.node(name).left()) sim_.Boot(name);
    }
    sim_.RunFor(seconds(12));  // asks under way end, faults under way are undone
    for (const std::string& name : names_) {
      if (!sim_.Has(name) || sim_.node(name).left()) sim_.Boot(name);
    }
    sim_.HealAll();
    sim_.RunUntilQuiet();
    result_.violations = sim_.oracles().violations();
    result_.trace_hash = sim_.oracles().trace_hash();
    result_.effects = sim_.oracles().effects();
    result_.activations = sim_.oracles().activations();
    return result_;
  }

 private:
  const std::string& Anyone() { return names_[faults_->Below(names_.size())]; }
  Duration Some(int64_t min_ms, int64_t max_ms) {
    return milliseconds(
        min_ms + static_cast<int64_t>(faults_->Below(static_cast<uint64_t>(max_ms - min_ms))));
  }
  void Undo(Duration after, std::function<void()> undo) {
    executor_->PostAfter(after, std::move(undo));
  }

  void AskLater() {
    executor_->PostAfter(options_.ask_every, [this] {
      if (!stormy_) return;
      AskLater();
      const std::string& name = names_[random_->Below(names_.size())];
      const GrainId id("sim", std::to_string(random_->Below(options_.grains)));
      if (!sim_.Has(name)) return;
      ++result_.asks;
      sim_.node(name).Ask(id, seconds(4), [this](const Status& status) {
        if (status.ok()) ++result_.answered;
      });
    });
  }

  void FaultLater() {
    executor_->PostAfter(Some(10, options_.fault_every_max / milliseconds(1)), [this] {
      if (!stormy_) return;
      FaultLater();
      ++result_.faults;
      const std::string name = Anyone();
      if (!sim_.Has(name)) return;
      sim_.oracles().Trace(name, "fault");
      switch (faults_->Below(4)) {
        case 0:
          return ProcessFault(name);
        case 1:
          return NetFault(name);
        case 2:
          return StoreFault(name);
        default:
          return Passivate(name);
      }
    });
  }

  void ProcessFault(const std::string& name) {
    SimNode& node = sim_.node(name);
    switch (faults_->Below(4)) {
      case 0:
        sim_.Kill(name);
        return Undo(Some(20, 3000), [this, name] {
          if (!sim_.Has(name)) sim_.Boot(name);
        });
      case 1:
        node.Leave();
        return Undo(Some(500, 3000), [this, name] {
          if (sim_.Has(name) && sim_.node(name).left()) sim_.Boot(name);
        });
      default:
        node.Freeze();
        return Undo(Some(50, 4000), [this, name] {
          if (sim_.Has(name)) sim_.node(name).Thaw();
        });
    }
  }

  void NetFault(const std::string& name) {
    const std::string& other = Anyone();
    switch (faults_->Below(4)) {
      case 0:
        sim_.net().Cut(name, other);
        return Undo(Some(50, 4000), [this, name, other] { sim_.net().Heal(name, other); });
      case 1:
        sim_.CutBoth(name, other);
        return Undo(Some(50, 4000), [this] { sim_.net().HealAll(); });
      case 2:
        for (const std::string& each : names_) sim_.CutBoth(name, each);
        return Undo(Some(50, 4000), [this] { sim_.net().HealAll(); });
      default:
        if (!sim_.Has(other)) return;
        return sim_.net().EndSession(sim_.node(name).process(), sim_.node(other).process(),
                                     remoting::StreamEnd::kReset);
    }
  }

  void StoreFault(const std::string& name) {
    constexpr const char* kLinks[] = {"", ".lease", ".state"};
    const std::string link = name + kLinks[faults_->Below(3)];
    cluster::EmbeddedStore& store = sim_.store();
    switch (faults_->Below(5)) {
      case 0:
        store.Stall(link, true);
        return Undo(Some(50, 4000), [&store, link] { store.Stall(link, false); });
      case 1:
        store.CutOff(link, true);
        return Undo(Some(50, 4000), [&store, link] { store.CutOff(link, false); });
      case 2:
        store.ServeStaleReads(link, true);
        return Undo(Some(50, 2000), [&store, link] { store.ServeStaleReads(link, false); });
      case 3:
        store.Deafen(link, true);
        return Undo(Some(500, 5000), [&store, link] { store.Deafen(link, false); });
      default:
        store.SetFaultShares(link, {0.1, 0.1, 0.1, 0.05});
        return Undo(Some(500, 3000), [&store, link] { store.SetFaultShares(link, {}); });
    }
  }

  void Passivate(const std::string& name) {
    SimHost& host = sim_.node(name).host();
    for (const GrainId& id : host.active()) {
      if (faults_->Below(2) == 0) host.Deactivate(id);
    }
  }

  const ChaosOptions options_;
  const std::unique_ptr<Random> random_;
  const std::unique_ptr<Random> faults_;
  SimCluster sim_;
  const std::unique_ptr<VirtualExecutor> executor_;
  std::vector<std::string> names_;
  bool stormy_ = false;
  ChaosResult result_;
};

}  // namespace

ChaosResult RunChaos(uint64_t seed, const ChaosOptions& options) {
  return Storm(seed, options).Run();
}

}  // namespace quern::testing
