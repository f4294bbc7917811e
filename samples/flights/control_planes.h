// The three nats-servers of a run: one for each datacenter, one for the global control plane. Each
// is restarted on its data when it dies, kNatsRestartsMax times.
//
//   auto planes = ControlPlanes::Start(run_folder);
//   (*planes)->url("us-west");
//   (*planes)->Supervise();     // StatusOr<std::string>: what happened since, for people

#ifndef QUERN_SAMPLES_FLIGHTS_CONTROL_PLANES_H_
#define QUERN_SAMPLES_FLIGHTS_CONTROL_PLANES_H_

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "quern/cluster/nats_server.h"
#include "quern/runtime/status.h"

namespace flights {

class ControlPlanes {
 public:
  // As NatsServer::Start. Data folders are made in `folder`. Blocks until all three serve.
  static quern::StatusOr<std::unique_ptr<ControlPlanes>> Start(const std::string& folder);

  std::string url(std::string_view datacenter) const;
  std::string global_url() const;

  // UNAVAILABLE: one died once too often.
  quern::StatusOr<std::string> Supervise();

 private:
  void OnEvent(const std::string& name, const quern::cluster::NatsServerEvent& event);

  absl::Mutex mutex_;
  std::string news_ ABSL_GUARDED_BY(mutex_);
  quern::Status given_up_ ABSL_GUARDED_BY(mutex_);
  // Last: their supervising threads call OnEvent.
  std::map<std::string, std::unique_ptr<quern::cluster::NatsServer>, std::less<>> servers_;
};

}  // namespace flights

#endif  // QUERN_SAMPLES_FLIGHTS_CONTROL_PLANES_H_
