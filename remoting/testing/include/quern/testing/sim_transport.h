// A network in one process and virtual time: any number of nodes, byte streams between them that
// delay, stall, split and break as told, all determined by a seed.
//
//   VirtualTime time;
//   SimNetwork net(time, /*seed=*/42);
//   auto executor = time.NewExecutor();
//   auto transport = net.NewTransport("node-1", *executor);
//   auto network = Network::Start(options, *transport, *executor, time, *random, &handler);
//   net.Cut("node-1", "node-2");          // silence, as after a pulled cable
//   net.Kill("node-2");                   // SIGKILL: its peers hear RST or FIN, its address
//   refuses
//
// Behaves as TCP does: bytes of one stream arrive in order or not at all; a cut holds them back and
// a later heal delivers them; a process that is frozen (VirtualExecutor::Freeze) still accepts and
// receives in its kernel and hears of it after the thaw; who writes to a closed end hears RST.
//
// Single-threaded, as VirtualTime. The VirtualTime outlives the SimNetwork, which outlives its
// transports, which outlive their streams; an executor outlives its transport.

#ifndef QUERN_TESTING_SIM_TRANSPORT_H_
#define QUERN_TESTING_SIM_TRANSPORT_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "quern/remoting/transport.h"
#include "quern/runtime/executor.h"
#include "quern/runtime/random.h"
#include "quern/testing/virtual_time.h"

namespace quern::testing {

class SimPipe;
class SimListener;
struct SimNode;

// One direction between two nodes.
struct SimLink {
  Duration delay = std::chrono::microseconds(50);
  Duration jitter = Duration::zero();  // up to this much more, order kept
};

class SimTransport final : public remoting::Transport {
 public:
  ~SimTransport() override;

  StatusOr<std::unique_ptr<remoting::Listener>> Listen(const std::string& address,
                                                       AcceptCallback on_accept) override;
  void Connect(const std::string& address, Duration timeout, remoting::StreamEvents* events,
               std::function<void(StatusOr<std::unique_ptr<remoting::Stream>>)> done) override;

  const std::string& node() const;

 private:
  friend class SimNetwork;
  explicit SimTransport(std::shared_ptr<SimNode> node);

  const std::shared_ptr<SimNode> node_;
};

class SimNetwork {
 public:
  SimNetwork(VirtualTime& time, uint64_t seed);
  ~SimNetwork();
  SimNetwork(const SimNetwork&) = delete;
  SimNetwork& operator=(const SimNetwork&) = delete;

  // A process on the network. The same name again, after Kill or after the first is gone, is its
  // successor.
  std::unique_ptr<SimTransport> NewTransport(const std::string& node, Executor& executor);

  // Of every link that SetLink was not called for.
  void SetDefaultLink(SimLink link) { default_link_ = link; }
  void SetLink(const std::string& from, const std::string& to, SimLink link);

  // Nothing arrives in that direction until Heal; nobody is told.
  void Cut(const std::string& from, const std::string& to);
  void Heal(const std::string& from, const std::string& to);
  void CutBoth(const std::string& a, const std::string& b);
  void HealBoth(const std::string& a, const std::string& b);
  void HealAll();

  // Every stream between the two ends with RST on both sides; what was under way is lost.
  void Reset(const std::string& a, const std::string& b);

  // Every stream between the two ends with RST at `from` alone; what it had written still arrives
  // over there, at its own pace, and RST after it.
  void Sever(const std::string& from, const std::string& to);

  // New connections are refused while the process and its streams live on.
  void RefuseConnect(const std::string& node, bool refuse);

  // The process is gone: it hears and says nothing more, its listeners refuse, its peers hear RST
  // (what was under way is lost) or FIN (it arrives), by chance. Destroy its objects at leisure.
  void Kill(const std::string& node);

  // Cuts what is written at random boundaries, down to single bytes.
  void SplitWrites(bool split) { split_writes_ = split; }

  size_t streams() const { return pipes_.size(); }

 private:
  friend class SimTransport;
  friend class SimPipe;
  friend class SimListener;
  using Direction = std::pair<std::string, std::string>;

  Duration DelayOf(const Direction& direction);
  bool IsCut(const Direction& direction) const { return cut_.contains(direction); }
  void Listening(const std::string& address, SimListener* listener);
  void Arrive(std::shared_ptr<SimNode> dialler, const std::string& address,
              std::function<void(StatusOr<std::unique_ptr<remoting::Stream>>)> done,
              remoting::StreamEvents* events);

  VirtualTime& time_;
  const std::unique_ptr<Random> random_;
  const std::unique_ptr<VirtualExecutor> kernel_;  // runs while processes are frozen
  SimLink default_link_;
  bool split_writes_ = false;
  uint32_t last_port_ = 20000;
  std::map<Direction, SimLink> links_;
  std::set<Direction> cut_;
  std::set<std::string> refusing_;
  std::map<std::string, std::shared_ptr<SimNode>> nodes_;  // the latest process of each name
  std::map<std::string, SimListener*> listeners_;          // by address
  std::set<std::shared_ptr<SimPipe>> pipes_;               // those that are not over on both sides
};

}  // namespace quern::testing

#endif  // QUERN_TESTING_SIM_TRANSPORT_H_
