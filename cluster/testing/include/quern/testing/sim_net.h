// A network of messages in virtual time: delay and loss from a seed, links cut in one direction or
// both, sessions that end as TCP's would, addresses that refuse. What `remoting` does with frames
// and lanes is not simulated here; what its users may rely on is.
//
//   SimNet net(time, SeededRandom(7), {.delay_max = 5ms});
//   net.Open(&endpoint);                       // a process listens at its address
//   net.Call(from, to, body, 1s, done);        // UNAVAILABLE: not sent. DEADLINE_EXCEEDED: unknown
//   net.Cut("a", "b");                         // nothing from a reaches b, silently
//   net.Close(process);                        // the process dies: its sessions end
//
// Messages between two processes keep their order. Single-threaded, as VirtualTime.

#ifndef QUERN_TESTING_SIM_NET_H_
#define QUERN_TESTING_SIM_NET_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "quern/remoting/network.h"
#include "quern/runtime/random.h"
#include "quern/testing/virtual_time.h"

namespace quern::testing {

// One process on the network. Callbacks run on its executor.
struct SimEndpoint {
  remoting::NodeIdentity identity;  // advertised_address is where it listens
  VirtualExecutor* executor = nullptr;
  std::function<void(const remoting::NodeIdentity&, remoting::SystemBody,
                     remoting::NetworkHandler::ReplySystem)>
      on_message;
  std::function<void(const remoting::NodeIdentity&)> on_session_up;
  std::function<void(const remoting::SessionEnd&)> on_session_down;
};

class SimNet {
 public:
  struct Options {
    Duration delay_min = std::chrono::microseconds(100);
    Duration delay_max = std::chrono::milliseconds(1);
    Duration idle_timeout = std::chrono::seconds(1);  // a cut session is noticed after this
    double loss = 0;                                  // share of one-way messages and calls
    double repeat = 0;  // share of calls delivered a second time, late
    Duration repeat_after = std::chrono::seconds(1);
  };
  using CallDone = std::function<void(StatusOr<remoting::SystemBody>)>;

  SimNet(VirtualTime& time, std::unique_ptr<Random> random, Options options);
  ~SimNet();
  SimNet(const SimNet&) = delete;
  SimNet& operator=(const SimNet&) = delete;

  // The endpoint stays with the caller until Close. Sessions stand at once with all that are open.
  void Open(SimEndpoint* endpoint);

  // The process is gone: its sessions end by FIN where no cut hides it, calls to it fail.
  void Close(const remoting::ProcessId& process);

  void Send(const remoting::ProcessId& from, const remoting::PeerAddress& to,
            remoting::SystemBody body);
  void Call(const remoting::ProcessId& from, const remoting::PeerAddress& to,
            remoting::SystemBody body, Duration timeout, CallDone done);
  void Probe(const remoting::ProcessId& from, const remoting::PeerAddress& to, Duration timeout,
             std::function<void(remoting::ProbeResult)> done);

  // By node id, so that a cut outlives a process. One way.
  void Cut(const std::string& from, const std::string& to);
  void Heal(const std::string& from, const std::string& to);
  void HealAll();

  // Messages of this type to that node wait until Release, as in a queue somewhere on the way.
  void Hold(const std::string& to, const std::string& type);
  void Release();
  size_t held() const { return held_.size(); }

  // Connections to that address are refused, as by a firewall; what stands goes on.
  void Refuse(const std::string& address, bool on);

  // The session between two processes ends for both, as told; it comes up again later if it can.
  void EndSession(const remoting::ProcessId& a, const remoting::ProcessId& b,
                  remoting::StreamEnd how);

  void set_options(const Options& options) { options_ = options; }
  const Options& options() const { return options_; }
  uint64_t delivered() const { return delivered_; }

 private:
  using Pair = std::pair<remoting::ProcessId, remoting::ProcessId>;
  struct Waiting {
    remoting::ProcessId from{};
    remoting::ProcessId to{};
    CallDone done;
    Executor::TimerId timer = 0;
  };

  SimEndpoint* Find(const remoting::ProcessId& process) const;
  bool IsCut(const remoting::ProcessId& from, const remoting::ProcessId& to) const;
  Duration Delay();
  bool Chance(double share);
  void Deliver(const remoting::ProcessId& from, const remoting::ProcessId& to,
               std::function<void(SimEndpoint&)> arrive);
  void Answer(uint64_t call, StatusOr<remoting::SystemBody> result);
  void Carry(uint64_t call, const remoting::ProcessId& from, const remoting::ProcessId& to,
             const remoting::SystemBody& body);
  void TellDown(SimEndpoint& to, const remoting::NodeIdentity& peer, remoting::StreamEnd how);
  void TellUp(SimEndpoint& to, const remoting::NodeIdentity& peer);
  void CheckSessions();

  VirtualTime& time_;
  const std::unique_ptr<Random> random_;
  Options options_;
  const std::unique_ptr<VirtualExecutor> executor_;
  std::map<remoting::ProcessId, SimEndpoint*> open_;
  std::map<remoting::ProcessId, remoting::NodeIdentity> known_;  // dead ones as well
  std::set<std::pair<std::string, std::string>> cuts_;
  std::set<std::string> refusing_;
  std::set<std::pair<std::string, std::string>> holds_;  // node id, type
  std::vector<std::function<void()>> held_;
  std::map<Pair, Time> last_due_;
  std::map<Pair, Time> cut_since_;  // of sessions that have not noticed yet; ordered pairs
  std::set<Pair> down_;             // sessions that are down, ordered pairs
  std::map<uint64_t, Waiting> calls_;
  uint64_t last_call_ = 0;
  uint64_t delivered_ = 0;
};

}  // namespace quern::testing

#endif  // QUERN_TESTING_SIM_NET_H_
