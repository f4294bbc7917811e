#include "quern/testing/step_system.h"

#include "scheduler/step_driver.h"

namespace quern::testing {
namespace internal {

using quern::internal::StepDriver;

StepParts::StepParts(const StepOptions& options)
    : random_(SeededRandom(options.seed)->Fork("system")),
      driver_(new StepDriver(options.seed, [this](Duration by) { clock_.AdvanceBy(by); })) {}

StepParts::~StepParts() = default;

void StepParts::DriverDeleter::operator()(StepDriver* driver) const { delete driver; }

SystemOptions StepParts::Options(const StepOptions& options) {
  SystemOptions made = options.system;
  made.workers = options.workers;
  made.clock = &clock_;
  made.random = random_.get();
  made.step_driver = driver_.get();
  return made;
}

}  // namespace internal

bool StepSystem::Step() { return driver_->Step(); }

uint64_t StepSystem::RunUntilIdle() {
  const uint64_t before = driver_->steps();
  while (driver_->Step()) {
  }
  return driver_->steps() - before;
}

void StepSystem::RunFor(Duration duration) {
  driver_->RunUntil([] { return false; }, clock_.Now() + duration);
}

std::string StepSystem::Parked() const { return driver_->DescribeParked(); }

uint64_t StepSystem::steps() const { return driver_->steps(); }

}  // namespace quern::testing
