// A whole cluster in one thread and virtual time, from a seed: nodes, their network, their control
// plane, and the oracles that watch them.
//
//   SimCluster sim(seed);
//   sim.Start({"a", "b", "c"});                 // joined when it returns
//   EXPECT_TRUE(sim.AskFrom("a", GrainId("sim", "x")).ok());
//   sim.Kill("b");
//   EXPECT_TRUE(sim.RunUntilQuiet());
//   EXPECT_EQ(sim.oracles().violations(), "");

#ifndef QUERN_TESTING_SIM_CLUSTER_H_
#define QUERN_TESTING_SIM_CLUSTER_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "quern/testing/sim_node.h"

namespace quern::testing {

class SimCluster {
 public:
  explicit SimCluster(uint64_t seed, SimOptions options = {});
  ~SimCluster();
  SimCluster(const SimCluster&) = delete;
  SimCluster& operator=(const SimCluster&) = delete;

  // Starts nodes and runs until all of them serve in one view. False when they do not within half a
  // minute.
  bool Start(const std::vector<std::string>& names);

  // Starts one node; its join goes on as time runs.
  SimNode& Boot(const std::string& name);

  // The process is gone; Boot() of the same name is a new one.
  void Kill(const std::string& name) { nodes_.erase(name); }

  bool Has(const std::string& name) const { return nodes_.contains(name); }
  SimNode& node(const std::string& name) { return *nodes_.at(name); }
  const std::map<std::string, std::unique_ptr<SimNode>>& nodes() const { return nodes_; }

  void RunFor(Duration duration) { time_.RunFor(duration); }
  bool RunUntil(const std::function<bool()>& done, Duration limit) {
    return time_.RunUntil(done, limit);
  }

  // Asks and runs until it is answered.
  Status AskFrom(const std::string& name, const GrainId& id,
                 Duration timeout = std::chrono::seconds(10));

  // The node on which the grain is active and may serve; "" for none.
  std::string Where(const GrainId& id) const;

  // A grain whose partition `name` owns in the view of any serving node.
  GrainId GrainOwnedBy(const std::string& name);
  std::string OwnerOf(const GrainId& id);

  // Nothing goes from one to the other, and back.
  void CutBoth(const std::string& a, const std::string& b);
  void HealAll();

  // After faults have ended: runs until all nodes share one view that has them all, and every
  // directory entry points at an activation. Then asks for every grain from every node, and checks
  // what is stored. Failures become violations.
  bool RunUntilQuiet(Duration limit = std::chrono::seconds(30));
  std::string WhyNotQuiet() const;

  VirtualTime& time() { return time_; }
  SimNet& net() { return net_; }
  cluster::EmbeddedStore& store() { return store_; }
  SimOracles& oracles() { return oracles_; }
  SimOptions& options() { return options_; }

 private:
  SimNode* FindProcess(const remoting::ProcessId& process) const;
  void CheckStored();

  const uint64_t seed_;
  SimOptions options_;
  VirtualTime time_;
  SimOracles oracles_;
  const std::unique_ptr<VirtualExecutor> store_executor_;
  const std::unique_ptr<Random> random_;
  SimNet net_;
  cluster::EmbeddedStore store_;
  std::map<std::string, std::unique_ptr<SimNode>> nodes_;
};

}  // namespace quern::testing

#endif  // QUERN_TESTING_SIM_CLUSTER_H_
