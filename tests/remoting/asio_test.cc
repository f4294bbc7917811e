#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "asio/socket.h"
#include "quern/remoting/asio_io.h"
#include "quern/remoting/network.h"

namespace quern::remoting {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

// A node with its own I/O thread.
struct Node final : public NetworkHandler {
  explicit Node(const std::string& name, const std::string& listen = "127.0.0.1:0",
                const std::string& cluster = "test") {
    io = *AsioIo::Start({.name = name});
    Network::Options options;
    options.identity.cluster_id = cluster;
    options.identity.node_id = name;
    for (uint8_t& byte : options.identity.process_id) {
      byte = static_cast<uint8_t>(SystemRandom().Next());
    }
    options.listen_address = listen;
    io->Run([&] {
      network = *Network::Start(options, io->transport(), *io, SystemClock(), SystemRandom(), this);
    });
    identity = network->identity();
  }
  ~Node() override {
    io->Run([&] { network.reset(); });
    io->Stop();
  }

  PeerAddress address() const { return {identity.advertised_address, identity.process_id}; }

  void OnUserMessage(const NodeIdentity&, UserMessage message, ReplyUser reply) override {
    if (reply) {
      reply(UserReply{.status = {}, .body = "re: " + message.body});
    } else {
      received.fetch_add(1);
      if (message.body == "last") last.set_value();
    }
  }
  void OnSystemMessage(const NodeIdentity&, SystemBody body, ReplySystem reply) override {
    if (reply) reply(std::move(body));
  }
  void OnSessionUp(const NodeIdentity&) override { ups.fetch_add(1); }
  void OnSessionDown(const SessionEnd& end) override { down.set_value(end.how); }
  void OnHigherViewVersion(const NodeIdentity&, uint64_t) override {}
  Status AdmitPeer(const NodeIdentity&) override { return absl::OkStatus(); }

  std::unique_ptr<AsioIo> io;
  std::unique_ptr<Network> network;
  NodeIdentity identity;
  std::atomic<int> received{0};
  std::atomic<int> ups{0};
  std::promise<void> last;
  std::promise<StreamEnd> down;
};

UserMessage Letter(std::string body) {
  UserMessage message;
  message.grain = GrainId("box", "k");
  message.type_name = "test.Letter";
  message.body = std::move(body);
  message.deadline = SystemClock().Now() + 20s;
  return message;
}

UserReply AskAndWait(Node& from, const PeerAddress& to, std::string body) {
  std::promise<UserReply> promise;
  from.network->Ask(to, Letter(std::move(body)),
                    [&](UserReply reply) { promise.set_value(std::move(reply)); });
  return promise.get_future().get();
}

TEST(AsioTest, AskCrossesLoopbackAndComesBack) {
  Node a("a");
  Node b("b");

  const UserReply reply = AskAndWait(a, b.address(), "hello");

  EXPECT_TRUE(reply.status.ok()) << reply.status;
  EXPECT_EQ(reply.body, "re: hello");
}

TEST(AsioTest, ManyThreadsTellWithoutLoss) {
  Node a("a");
  Node b("b");
  constexpr int kThreads = 4;
  constexpr int kEach = 20000;

  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < kEach; ++i) {
          while (a.network->Tell(b.address(), Letter("x")) != Delivery::kAccepted) {
            std::this_thread::yield();
          }
        }
      });
    }
  }
  ASSERT_EQ(a.network->Tell(b.address(), Letter("last")), Delivery::kAccepted);
  b.last.get_future().wait();

  EXPECT_EQ(b.received.load(), kThreads * kEach + 1);
}

}  // namespace
}  // namespace quern::remoting
