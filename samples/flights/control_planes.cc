#include "flights/control_planes.h"

#include <utility>

#include "flights/airports.h"
#include "flights/limits.h"

namespace flights {
namespace {

constexpr std::string_view kGlobal = "global";

}  // namespace

quern::StatusOr<std::unique_ptr<ControlPlanes>> ControlPlanes::Start(const std::string& folder) {
  auto planes = std::make_unique<ControlPlanes>();
  for (const std::string_view view : {kWest, kEast, kGlobal}) {
    const std::string name(view);
    auto server = quern::cluster::NatsServer::Start(
        {.data_folder = folder + "/nats-" + name,
         .name = name,
         .restarts_max = kNatsRestartsMax,
         .on_event = [p = planes.get(), name](const auto& event) { p->OnEvent(name, event); }});
    if (!server.ok()) return server.status();
    planes->servers_[name] = *std::move(server);
  }
  return planes;
}

std::string ControlPlanes::url(std::string_view datacenter) const {
  return servers_.find(datacenter)->second->url();
}

std::string ControlPlanes::global_url() const { return url(kGlobal); }

quern::StatusOr<std::string> ControlPlanes::Supervise() {
  absl::MutexLock lock(&mutex_);
  if (!given_up_.ok()) return given_up_;
  return std::exchange(news_, "");
}

void ControlPlanes::OnEvent(const std::string& name, const quern::cluster::NatsServerEvent& event) {
  using Kind = quern::cluster::NatsServerEvent::Kind;
  absl::MutexLock lock(&mutex_);
  const std::string who = "the nats-server of " + name;
  switch (event.kind) {
    case Kind::kDied:
      news_ += who + " died: " + event.detail + "\n";
      break;
    case Kind::kRestarted:
      news_ += who + " serves again on its data (restart " + std::to_string(event.restarts) +
               " of " + std::to_string(kNatsRestartsMax) + ")\n";
      break;
    case Kind::kGaveUp:
      given_up_ = absl::UnavailableError(who + " died after " + std::to_string(event.restarts) +
                                         " restarts: " + event.detail);
      break;
  }
}

}  // namespace flights
