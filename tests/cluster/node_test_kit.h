// Nodes of one process, each with a System of its own, over real sockets of the loopback interface
// and a control plane in memory. Real time: where a lease has to run out its times are divided by
// ten, and nothing is waited for but answers and views.

#ifndef QUERN_TESTS_CLUSTER_NODE_TEST_KIT_H_
#define QUERN_TESTS_CLUSTER_NODE_TEST_KIT_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <absl/synchronization/mutex.h>
#include <absl/synchronization/notification.h>
#include <absl/time/time.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quern/cluster/control_plane_state_store.h"
#include "quern/cluster/embedded_control_plane.h"
#include "quern/cluster/embedded_store.h"
#include "quern/cluster/node.h"
#include "quern/quern.h"
#include "quern/remoting/asio_io.h"
#include "quern/runtime/logger.h"
#include "quern/runtime/memory_state_store.h"

namespace quern::cluster {

constexpr int kNodesMax = 4;
constexpr Duration kPatience = std::chrono::seconds(20);

// ---- A counter that keeps its total and says where it is.

struct CounterApi : Protocol<int64_t(int64_t), std::string(std::string)> {
  static constexpr std::string_view kKind = "counter";
};

// Activations of each key that are alive now, and the most there ever were at once.
class Census {
 public:
  void Enter(const std::string& key) {
    absl::MutexLock lock(&mutex_);
    most_ = std::max(most_, ++alive_[key]);
  }
  void Leave(const std::string& key) {
    absl::MutexLock lock(&mutex_);
    --alive_[key];
  }
  int most_at_once() const {
    absl::MutexLock lock(&mutex_);
    return most_;
  }
  void Reset() {
    absl::MutexLock lock(&mutex_);
    alive_.clear();
    most_ = 0;
  }

 private:
  mutable absl::Mutex mutex_;
  std::map<std::string, int> alive_;
  int most_ = 0;
};

inline Census& TheCensus() {
  static Census census;
  return census;
}

// One class a node, so that an activation knows where it is.
template <int kNode>
struct Counter : Grain<CounterApi> {
  Status OnActivate() override {
    TheCensus().Enter(key());
    return absl::OkStatus();
  }
  void OnDeactivate(const Status&) override { TheCensus().Leave(key()); }

  StatusOr<int64_t> On(const int64_t& amount) { return total.SaveThen(*total += amount); }
  std::string On(const std::string& what) {
    return what == "epoch" ? Text(epoch()) : "node-" + std::to_string(kNode);
  }

  // Compares as text the way epochs compare.
  static std::string Text(const Epoch& e) {
    char text[96];
    std::snprintf(text, sizeof text, "%04d.%04d.%08d.%08d", static_cast<int>(e.home_term),
                  static_cast<int>(e.incarnation), static_cast<int>(e.view_version),
                  static_cast<int>(e.counter));
    return text;
  }

  State<int64_t> total{this};
};

// ---- An actor that is spawned by kind.

struct WorkerApi : Protocol<std::string(std::string)> {
  static constexpr std::string_view kKind = "worker";
  using Arguments = std::string;
};
template <int kNode>
struct Worker : Actor<WorkerApi> {
  explicit Worker(std::string greeting) : greeting_(std::move(greeting)) {}
  std::string On(const std::string& name) {
    return greeting_ + ", " + name + ", from node-" + std::to_string(kNode);
  }
  std::string greeting_;
};

template <int kNode>
void HostHere(System& system, bool worker) {
  ASSERT_EQ(system.Host<Counter<kNode>>(), absl::OkStatus());
  const Status hosted = worker ? system.HostActor<Worker<kNode>>() : absl::OkStatus();
  ASSERT_EQ(hosted, absl::OkStatus());
}

// What a node has told about its views; outlives the node.
class ViewLog {
 public:
  void Add(const ViewInfo& view) {
    absl::MutexLock lock(&mutex_);
    view_ = view;
  }
  // False: not within kPatience.
  bool Await(const std::function<bool(const ViewInfo&)>& wanted) {
    absl::MutexLock lock(&mutex_);
    const auto reached = [&]() { return wanted(view_); };
    return mutex_.AwaitWithTimeout(absl::Condition(&reached), absl::FromChrono(kPatience));
  }

 private:
  absl::Mutex mutex_;
  ViewInfo view_ ABSL_GUARDED_BY(mutex_);
};

// ---- One node of the test.

struct Peer {
  std::string id;
  std::unique_ptr<EmbeddedControlPlane> records;
  std::unique_ptr<EmbeddedControlPlane> leases;
  std::unique_ptr<StateStore> state;  // empty: the shared one
  std::unique_ptr<System> system;
  std::shared_ptr<ViewLog> views = std::make_shared<ViewLog>();
  std::shared_ptr<absl::Notification> evicted = std::make_shared<absl::Notification>();
  std::unique_ptr<Node> node;

  ~Peer() {
    node.reset();
    if (system != nullptr) system->Stop();
  }

  Ref<CounterApi> Counter(std::string_view key) { return system->Grain<CounterApi>(key); }
  StatusOr<int64_t> Add(std::string_view key, int64_t amount) {
    return Counter(key).Ask(amount, kPatience);
  }
  StatusOr<std::string> Where(std::string_view key) {
    return Counter(key).Ask(std::string("where"), kPatience);
  }
  StatusOr<std::string> EpochOf(std::string_view key) {
    return Counter(key).Ask(std::string("epoch"), kPatience);
  }

  bool AwaitMembers(size_t active) {
    return views->Await([active](const ViewInfo& view) {
      return view.members.size() == active &&
             std::ranges::all_of(view.members, [](const MemberInfo& m) { return m.active; });
    });
  }
};

// A thread that goes on adding one to each of a number of counters.
class Load {
 public:
  struct Outcome {
    int64_t acknowledged = 0;
    int64_t failed = 0;
    Status failure;  // the last one
  };

  Load(Peer& from, int grains) : from_(from) {
    for (int i = 0; i < grains; ++i) outcomes_["counter-" + std::to_string(i)] = {};
    thread_ = std::thread([this] { Run(); });
  }
  ~Load() { Stop(); }

  // Until every counter has been called `rounds` more times.
  void AwaitRounds(int rounds) {
    absl::MutexLock lock(&mutex_);
    const int64_t wanted = rounds_ + rounds + 1;
    const auto reached = [&]() { return rounds_ >= wanted; };
    mutex_.Await(absl::Condition(&reached));
  }

  std::map<std::string, Outcome> Stop() {
    {
      absl::MutexLock lock(&mutex_);
      stop_ = true;
    }
    if (thread_.joinable()) thread_.join();
    return outcomes_;
  }

 private:
  void Run() {
    for (;;) {
      for (auto& [key, outcome] : outcomes_) {
        const auto total = from_.Add(key, 1);
        if (total.ok()) {
          ++outcome.acknowledged;
        } else {
          ++outcome.failed;
          outcome.failure = total.status();
        }
      }
      absl::MutexLock lock(&mutex_);
      ++rounds_;
      if (stop_) return;
    }
  }

  Peer& from_;
  std::map<std::string, Outcome> outcomes_;  // the thread's until it has ended
  absl::Mutex mutex_;
  int64_t rounds_ = 0;
  bool stop_ = false;
  std::thread thread_;
};

class NodeTest : public ::testing::Test {
 protected:
  NodeTest() : store_io_(remoting::AsioIo::Start({.name = "store"}).value()) {
    TheCensus().Reset();
    store_ = std::make_unique<EmbeddedStore>(*store_io_, SeededRandom(7));
  }
  ~NodeTest() override {
    peers_.clear();
    store_.reset();
    store_io_->Stop();
  }

  // A process that is not a member yet.
  Peer& MakePeer(bool worker = false) {
    const int index = static_cast<int>(peers_.size());
    auto& peer = *peers_.emplace_back(std::make_unique<Peer>());
    peer.id = "node-" + std::to_string(index);
    peer.records = store_->Connect(peer.id, *store_io_);
    peer.leases = store_->Connect(peer.id, *store_io_);
    if (durable_state_) {
      peer.state = std::make_unique<ControlPlaneStateStore>(
          *peer.records, *store_io_, ControlPlaneStateStoreOptions{.cluster = "test"});
    }
    SystemOptions options;
    options.name = peer.id;
    options.workers = 1;
    options.state_store = durable_state_ ? peer.state.get() : &state_;
    peer.system = std::make_unique<System>(options);
    static constexpr std::array<void (*)(System&, bool), kNodesMax> kHost = {
        HostHere<0>, HostHere<1>, HostHere<2>, HostHere<3>};
    kHost.at(static_cast<size_t>(index))(*peer.system, worker);
    return peer;
  }

  NodeOptions OptionsFor(Peer& peer) {
    NodeOptions options;
    options.cluster_id = "test";
    options.node_id = peer.id;
    options.records = peer.records.get();
    options.leases = peer.leases.get();
    options.lease = lease_;
    options.proof_of_exit = proof_of_exit_;
    options.on_evicted = [evicted = peer.evicted](const Status&) { evicted->Notify(); };
    return options;
  }

  Status Start(Peer& peer) {
    auto node = Node::Start(*peer.system, OptionsFor(peer));
    if (!node.ok()) return node.status();
    peer.node = *std::move(node);
    peer.node->ObserveViews([views = peer.views](const ViewInfo& view) { views->Add(view); });
    return absl::OkStatus();
  }

  // `count` members that all know of each other.
  void StartCluster(int count, bool last_hosts_worker = false) {
    for (int i = 0; i < count; ++i) {
      ASSERT_EQ(Start(MakePeer(last_hosts_worker && i == count - 1)), absl::OkStatus());
    }
    for (const auto& peer : peers_) ASSERT_TRUE(peer->AwaitMembers(static_cast<size_t>(count)));
  }

  Peer& peer(int index) { return *peers_.at(static_cast<size_t>(index)); }

  // Adds one to each of `grains` counters and returns where each of them is.
  std::map<std::string, std::string> Fill(Peer& from, int grains) {
    std::map<std::string, std::string> where;
    for (int i = 0; i < grains; ++i) {
      const std::string key = "counter-" + std::to_string(i);
      EXPECT_EQ(from.Add(key, 1).status(), absl::OkStatus());
      where[key] = from.Where(key).value_or("nowhere");
    }
    return where;
  }

  static std::set<std::string> Nodes(const std::map<std::string, std::string>& where) {
    std::set<std::string> nodes;
    for (const auto& [key, node] : where) nodes.insert(node);
    return nodes;
  }

  LeaseTimes lease_;
  bool proof_of_exit_ = true;
  bool durable_state_ = false;
  std::unique_ptr<remoting::AsioIo> store_io_;
  std::unique_ptr<EmbeddedStore> store_;
  MemoryStateStore state_;
  std::vector<std::unique_ptr<Peer>> peers_;
};

}  // namespace quern::cluster

#endif  // QUERN_TESTS_CLUSTER_NODE_TEST_KIT_H_
