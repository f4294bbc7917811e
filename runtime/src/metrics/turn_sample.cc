#include "metrics/turn_sample.h"

#include <algorithm>
#include <utility>

#include "scheduler/fiber_stack.h"
#include "scheduler/worker.h"

namespace quern::internal {

TurnSample::TurnSample(ClassMetrics::Entry& entry, Worker& worker, Time now)
    : entry_(entry), worker_(worker), runner_(*worker.runner()), since_(now) {
  runner_.sample = this;
  ++entry_.samples;
  looks_at_stack_ = entry_.StackDue();
  if (looks_at_stack_) worker_.class_metrics().NoteStack(WipeStack(runner_.stack_top));
}

TurnSample::~TurnSample() {
  runner_.sample = nullptr;
  if (!looks_at_stack_) return;
  const size_t bytes = StackBytesUsed(runner_.stack_top);
  worker_.class_metrics().NoteStack(bytes);
  ClassMetrics::RaiseTo(entry_.stack_bytes, bytes);
}

// As long as none of the later ones has been measured, the first ones stand for them.
Duration TurnSample::Waited() const {
  const int64_t later = std::max<int64_t>(waits_ - kWaitsMeasured, 0);
  const bool measured = later_measured_ != 0;
  return first_waits_ +
         later * (measured ? later_waits_ / later_measured_ : first_waits_ / kWaitsMeasured);
}

void TurnSample::Handled(Time now) {
  const Duration held = now - since_ - Waited();
  entry_.handler_nanos.Record(static_cast<uint64_t>(std::max(held, Duration::zero()).count()));
  since_ = now;
  waits_ = later_measured_ = 0;
  first_waits_ = later_waits_ = Duration::zero();
}

}  // namespace quern::internal
