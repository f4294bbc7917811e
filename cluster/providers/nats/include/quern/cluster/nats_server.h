// A nats-server with JetStream as a supervised child process, so that nobody has to administer a
// broker to begin.
//
//   auto server = NatsServer::Start({.data_folder = "/tmp/demo/us-west"});
//   if (!server.ok()) { std::cerr << server.status().message() << "\n"; return 1; }
//   auto plane = NatsControlPlane::Connect({.url = (*server)->url(), .cluster = "us-west"});
//
// It listens on loopback, on a free port outside the range that the kernel gives to outgoing
// connections (where a dead port may connect to itself). It is started again on its data when it
// dies, up to restarts_max times, and never survives this process, however that ends. The program
// is options.program, else what QUERN_NATS_SERVER names, else nats-server from PATH.
//
// Thread-safe. One supervising thread an object.

#ifndef QUERN_CLUSTER_NATS_SERVER_H_
#define QUERN_CLUSTER_NATS_SERVER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "quern/runtime/clock.h"
#include "quern/runtime/logger.h"
#include "quern/runtime/status.h"

namespace quern::cluster {

struct NatsServerEvent {
  enum class Kind : uint8_t {
    kDied,       // a restart follows
    kRestarted,  // it serves again
    kGaveUp,     // it died and is not started again
  };
  Kind kind = Kind::kDied;
  std::string detail;  // one line
  int restarts = 0;    // so far
};

struct NatsServerOptions {
  std::string data_folder;  // made when missing; kept
  uint16_t port = 0;        // 0: a free one
  std::string name = {};    // in the server's own log
  std::string program = {};
  int restarts_max = 3;
  Duration start_timeout = std::chrono::seconds(15);
  Logger* logger = &NullLogger();
  // Called on the supervising thread; must not call Stop() or destroy the server.
  std::function<void(const NatsServerEvent&)> on_event = nullptr;
};

class NatsServer {
 public:
  // Returns when the server is ready. Blocks the thread. Failures are one line that names the fix:
  // NOT_FOUND no such program; ALREADY_EXISTS the port is taken; RESOURCE_EXHAUSTED no space;
  // PERMISSION_DENIED the data folder; DEADLINE_EXCEEDED not ready in time; UNAVAILABLE else.
  static StatusOr<std::unique_ptr<NatsServer>> Start(NatsServerOptions options);

  // As Stop().
  ~NatsServer();
  NatsServer(const NatsServer&) = delete;
  NatsServer& operator=(const NatsServer&) = delete;

  // Ends the child and waits for it: asks first, then kills. Blocks the thread. Idempotent.
  void Stop();

  std::string url() const;  // "nats://127.0.0.1:21042"
  uint16_t port() const;
  int pid() const;       // 0 while it is not running
  int restarts() const;  // so far

  // The program that Start would run. NOT_FOUND names the fix.
  static StatusOr<std::string> Program(const std::string& program = {});

 private:
  class Supervisor;

  explicit NatsServer(std::unique_ptr<Supervisor> supervisor);

  const std::unique_ptr<Supervisor> supervisor_;
};

}  // namespace quern::cluster

#endif  // QUERN_CLUSTER_NATS_SERVER_H_
