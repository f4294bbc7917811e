#include "flights/demo.h"

#include <unistd.h>

#include <iostream>
#include <memory>
#include <utility>

#include "flights/airports.h"
#include "flights/control_planes.h"
#include "flights/disturbance.h"
#include "flights/fleet.h"
#include "flights/interrupt.h"
#include "flights/limits.h"
#include "flights/link.h"
#include "flights/progress_meter.h"
#include "flights/readers.h"
#include "flights/report.h"
#include "flights/run_folder.h"
#include "flights/survey.h"
#include "flights/verifier.h"

namespace flights {
namespace {

double Seconds(quern::Duration duration) { return std::chrono::duration<double>(duration).count(); }

// Members are destroyed last to first: the client before the nodes it talks to, the nodes before
// the control planes, the folder last.
class Demo {
 public:
  Demo(const DemoOptions& options, quern::Clock& clock)
      : options_(options), clock_(clock), meter_(::isatty(STDERR_FILENO) == 1, clock.Now()) {}

  quern::Status Run() {
    for (const auto step : {&Demo::LookAtInput, &Demo::StartProcesses, &Demo::StartReaders,
                            &Demo::Work, &Demo::Collect, &Demo::Verify}) {
      if (quern::Status status = (this->*step)(); !status.ok()) return status;
    }
    fleet_->Leave(kLeaveTimeout);
    return absl::OkStatus();
  }

  const DemoResult& result() const { return result_; }

  // What Run returned is about an option.
  bool wrong_usage() const { return wrong_usage_; }

  // Ends the bar, so that a line can follow.
  void EndProgress() { std::cerr << meter_.Interrupt() << std::flush; }

 private:
  quern::Status LookAtInput();
  quern::Status StartProcesses();
  quern::Status StartReaders();
  quern::Status Work();
  quern::Status Collect();
  quern::Status Verify();

  void Say(const std::string& text);
  void ShowProgress();
  quern::Status CheckStall();
  quern::StatusOr<v1::Totals> TotalsOf(const std::string& airport, quern::Time deadline);
  quern::Status CountRefusedWrites();

  const DemoOptions options_;
  quern::Clock& clock_;
  ProgressMeter meter_;
  RunFolder folder_;
  Airports airports_;
  Survey survey_;
  std::unique_ptr<ControlPlanes> planes_;
  std::unique_ptr<Fleet> fleet_;
  std::unique_ptr<Link> link_;
  std::unique_ptr<Readers> readers_;
  std::unique_ptr<Disturbance> disturbance_;
  quern::Time started_;
  quern::Time moved_on_at_;  // when the number of answered batches last rose
  uint64_t answered_ = 0;
  bool wrong_usage_ = false;
  DemoResult result_;
};

void Demo::Say(const std::string& text) {
  if (options_.json || text.empty()) return;
  EndProgress();
  std::cout << text << std::flush;
}

quern::Status Demo::LookAtInput() {
  auto airports = Airports::Load(options_.airports_path, {.border_west = options_.border_west});
  if (!airports.ok()) return airports.status();
  airports_ = *std::move(airports);
  auto survey = TakeSurvey(options_.data_path,
                           {.row_limit = options_.row_limit, .strict = options_.strict}, airports_);
  if (!survey.ok()) return survey.status();
  survey_ = *std::move(survey);

  uint64_t west = 0;
  for (const std::string& airport : survey_.airports) west += airports_.Home(airport) == kWest;
  Say("flights demo   " + WithCommas(survey_.flights) + " flights, " +
      WithCommas(survey_.airports.size()) + " airports: " + WithCommas(west) +
      " at home in us-west, " + WithCommas(survey_.airports.size() - west) + " in us-east\n");
  if (survey_.malformed.count > 0) {
    std::string text = WithCommas(survey_.malformed.count) + " malformed rows left out";
    for (const MalformedRow& row : survey_.malformed.first) {
      text += "\n  line " + std::to_string(row.line) + ": " + row.reason;
    }
    std::cerr << text << "\n";
  }
  return absl::OkStatus();
}

quern::Status Demo::StartProcesses() {
  if (quern::Status status = folder_.Make(kFreeBytesMin); !status.ok()) return status;
  if (options_.keep) {
    folder_.Keep();
    std::cerr << "logs and data stay in " << folder_.path() << "\n";
  }
  auto planes = ControlPlanes::Start(folder_.path());
  if (!planes.ok()) return planes.status();
  planes_ = *std::move(planes);
  if (interrupted()) return absl::CancelledError("interrupted");
  Say("  control planes  us-west " + planes_->url(kWest) + "   us-east " + planes_->url(kEast) +
      "   global " + planes_->global_url() + "\n");

  fleet_ = std::make_unique<Fleet>(
      Fleet::Options{.executable = "/proc/self/exe", .folder = folder_.path()}, clock_);
  for (const NodeName& name : NodeNames(options_.nodes)) {
    quern::Status started =
        fleet_->Start({.name = name,
                       .nats_url = planes_->url(name.datacenter),
                       .global_nats_url = planes_->global_url(),
                       .airports_path = options_.airports_path,
                       .border_west = options_.border_west,
                       .lease_divisor = options_.pause ? kPauseLeaseDivisor : 1});
    if (!started.ok()) return started;
  }
  if (quern::Status ready = fleet_->WaitUntilReady(kReadyTimeout); !ready.ok()) return ready;
  std::string nodes = "  nodes           us-west";
  for (const NodeName& name : NodeNames(options_.nodes)) {
    if (name == NodeName{std::string(kEast), "node-1"}) nodes += "   us-east";
    nodes += " " + name.node;
  }
  Say(nodes + "\n");
  return absl::OkStatus();
}

quern::Status Demo::StartReaders() {
  auto link = Link::Open(planes_->global_url(), airports_, options_.pause ? kPauseLeaseDivisor : 1);
  if (!link.ok()) return link.status();
  link_ = *std::move(link);
  readers_ = std::make_unique<Readers>(options_, survey_);
  disturbance_ = std::make_unique<Disturbance>(options_, *fleet_, *readers_, clock_);
  if (quern::Status spawned = readers_->Spawn(link_->system()); !spawned.ok()) return spawned;
  started_ = moved_on_at_ = clock_.Now();
  if (quern::Status begun = readers_->Start(started_); !begun.ok()) return begun;
  const std::vector<std::string> nodes = readers_->nodes();
  Say("  readers         odd rows " + nodes[0] + "   even rows " + nodes[1] + "\n");
  quern::Status possible = disturbance_->Check();
  wrong_usage_ = !possible.ok();
  return possible;
}

quern::Status Demo::Work() {
  while (!readers_->done() || !disturbance_->over()) {
    if (quern::Status status = fleet_->Poll(kProgressEvery); !status.ok()) return status;
    const auto restarted = planes_->Supervise();
    if (!restarted.ok()) return restarted.status();
    Say(*restarted);
    if (quern::Status status = readers_->Refresh(clock_.Now()); !status.ok()) return status;
    const auto said = disturbance_->Step();
    if (!said.ok()) return said.status();
    Say(*said);
    ShowProgress();
    if (quern::Status status = CheckStall(); !status.ok()) return status;
  }
  result_.seconds = Seconds(clock_.Now() - started_);
  EndProgress();
  return absl::OkStatus();
}

void Demo::ShowProgress() {
  const quern::Time now = clock_.Now();
  const double seconds = Seconds(now - started_);
  std::cerr << meter_.Show({.done = readers_->answered(),
                            .total = readers_->planned(),
                            .flights_per_s = readers_->flights_answered() / std::max(seconds, 1e-3),
                            .p99_ms = readers_->latency().Quantile(0.99) / 1000},
                           now)
            << std::flush;
}

quern::Status Demo::CheckStall() {
  const quern::Time now = clock_.Now();
  if (readers_->answered() != answered_) {
    answered_ = readers_->answered();
    moved_on_at_ = now;
  }
  if (now - moved_on_at_ < kStallMax) return absl::OkStatus();
  return absl::DeadlineExceededError(
      "no batch was answered for " + std::to_string(kStallMax.count()) + " s, " +
      std::to_string(answered_) + " of " + std::to_string(readers_->planned()) + " are" +
      readers_->unanswered());
}

quern::Status Demo::Collect() {
  const quern::Time deadline = clock_.Now() + kTotalsTimeout;
  for (const std::string& airport : survey_.airports) {
    auto totals = TotalsOf(airport, deadline);
    if (!totals.ok()) return totals.status();
    result_.airports[airport] = *std::move(totals);
  }
  if (quern::Status status = CountRefusedWrites(); !status.ok()) return status;
  if (disturbance_->killed()) result_.killed = disturbance_->killed()->ToString();
  if (disturbance_->paused()) result_.paused = disturbance_->paused()->ToString();
  result_.grains_moved = disturbance_->GrainsMoved(result_.airports);
  result_.first_answer_ms = disturbance_->first_answer_ms();
  result_.flights = survey_.flights;
  result_.flights_per_s = static_cast<double>(survey_.flights) / std::max(result_.seconds, 1e-3);
  result_.p99_ms = readers_->latency().Quantile(0.99) / 1000;
  result_.cross_dc_share =
      static_cast<double>(survey_.cross) / static_cast<double>(survey_.flights);
  result_.batches_resent = readers_->resent();
  return absl::OkStatus();
}

quern::StatusOr<v1::Totals> Demo::TotalsOf(const std::string& airport, quern::Time deadline) {
  const auto grain = link_->system().Grain<AirportApi>(airport);
  for (;;) {
    auto totals = grain.Ask(v1::GetTotals(), kProgressTimeout);
    if (totals.ok()) return totals;
    if (clock_.Now() >= deadline) {
      return quern::Status(totals.status().code(), "the totals of " + airport + " did not come: " +
                                                       std::string(totals.status().message()));
    }
    if (quern::Status status = fleet_->Poll(kProgressEvery); !status.ok()) return status;
  }
}

quern::Status Demo::CountRefusedWrites() {
  const quern::Time deadline = clock_.Now() + kControlTimeout;
  for (;;) {
    result_.refused_writes = 0;
    for (const NodeName& name : fleet_->Running()) {
      auto stats =
          fleet_->Ask(name, v1::ToNode::COMMAND_STATS, v1::FromNode::kStats, kControlTimeout);
      if (!stats.ok()) return stats.status();
      result_.refused_writes += stats->stats().refused_writes();
    }
    if (!disturbance_->paused() || result_.refused_writes > 0) return absl::OkStatus();
    if (clock_.Now() >= deadline) {
      return absl::InternalError("the late writes of " + disturbance_->paused()->ToString() +
                                 " were not refused");
    }
    if (quern::Status status = fleet_->Poll(kProgressEvery); !status.ok()) return status;
  }
}

quern::Status Demo::Verify() {
  const auto expected = Recompute(options_.data_path, options_.row_limit);
  if (!expected.ok()) return expected.status();
  result_.differences = Compare(*expected, result_.airports);
  return absl::OkStatus();
}

int ExitCodeOf(const quern::Status& status, const Demo& demo) {
  if (absl::IsCancelled(status) || interrupted()) return kExitInterrupted;
  return demo.wrong_usage() ? kExitUsage : kExitFailure;
}

}  // namespace

int RunDemo(const DemoOptions& options) {
  Demo demo(options, quern::SystemClock());
  const quern::Status status = demo.Run();
  demo.EndProgress();
  if (!status.ok()) {
    std::cerr << "flights: " << std::string(status.message()) << "\n";
    return ExitCodeOf(status, demo);
  }
  std::cout << (options.json ? JsonReport(demo.result()) : TextReport(demo.result())) << std::flush;
  return demo.result().verified() ? kExitOk : kExitFailure;
}

}  // namespace flights
