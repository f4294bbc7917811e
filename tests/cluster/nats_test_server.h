// A nats-server for the tests of this process, on a data folder that goes with it.

#ifndef QUERN_TESTS_CLUSTER_NATS_TEST_SERVER_H_
#define QUERN_TESTS_CLUSTER_NATS_TEST_SERVER_H_

#include <signal.h>

#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "quern/cluster/nats_control_plane.h"
#include "quern/cluster/nats_server.h"

namespace quern::cluster {

// A fresh folder, removed with all that is in it.
class TempFolder {
 public:
  TempFolder() {
    const char* const root = std::getenv("TEST_TMPDIR");
    path_ = std::string(root != nullptr ? root : "/tmp") + "/quern-test-XXXXXX";
    EXPECT_NE(mkdtemp(path_.data()), nullptr) << path_;
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class NatsTestServer {
 public:
  explicit NatsTestServer(int restarts_max = 1000) {
    NatsServerOptions options{.data_folder = folder_.path(), .restarts_max = restarts_max};
    options.on_event = [this](const NatsServerEvent& event) { Took(event); };
    auto started = NatsServer::Start(std::move(options));
    EXPECT_TRUE(started.ok()) << started.status();
    if (started.ok()) server_ = *std::move(started);
  }

  // As the kernel's out-of-memory killer would; returns when it serves again.
  void KillAndAwaitRestart() {
    const int before = server_->restarts();
    kill(server_->pid(), SIGKILL);
    std::unique_lock lock(mutex_);
    const bool again =
        changed_.wait_for(lock, std::chrono::seconds(60), [&] { return last_restart_ > before; });
    EXPECT_TRUE(again) << "not restarted";
  }

  NatsServer& server() { return *server_; }
  const std::string& folder() const { return folder_.path(); }
  std::string url() const { return server_->url(); }

  std::unique_ptr<NatsControlPlane> Connect(NatsControlPlaneOptions options) {
    options.url = url();
    auto plane = NatsControlPlane::Connect(std::move(options));
    EXPECT_TRUE(plane.ok()) << plane.status();
    return plane.ok() ? *std::move(plane) : nullptr;
  }

 private:
  void Took(const NatsServerEvent& event) {
    std::lock_guard lock(mutex_);
    if (event.kind == NatsServerEvent::Kind::kRestarted) last_restart_ = event.restarts;
    changed_.notify_all();
  }

  const TempFolder folder_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int last_restart_ = 0;
  std::unique_ptr<NatsServer> server_;
};

// One for all tests of the process, started by the first that asks, stopped when they have run.
// Each test takes a cluster name of its own.
class SharedNatsServer : public ::testing::Environment {
 public:
  static NatsTestServer& Get() {
    if (instance_->server_ == nullptr) instance_->server_ = std::make_unique<NatsTestServer>();
    return *instance_->server_;
  }
  static std::string NewCluster() { return "t" + std::to_string(++instance_->clusters_); }

  void TearDown() override { server_.reset(); }

 private:
  static SharedNatsServer* const instance_;  // gtest owns it

  std::unique_ptr<NatsTestServer> server_;
  int clusters_ = 0;
};

}  // namespace quern::cluster

#endif  // QUERN_TESTS_CLUSTER_NATS_TEST_SERVER_H_
