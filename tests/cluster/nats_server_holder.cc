// Holds a nats-server on the data folder given: prints its own pid and the server's, then waits to
// be killed.

#include <unistd.h>

#include <cstdio>

#include "quern/cluster/nats_server.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const auto server = quern::cluster::NatsServer::Start({.data_folder = argv[1]});
  if (!server.ok()) return 1;
  std::printf("%d %d\n", static_cast<int>(getpid()), (*server)->pid());
  std::fflush(stdout);
  pause();
  return 0;
}
