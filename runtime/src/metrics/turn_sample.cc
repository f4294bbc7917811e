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

void TurnSample::Handled(Time now) {
  const Duration held = now - since_ - std::exchange(waited_, Duration::zero());
  entry_.handler_nanos.Record(static_cast<uint64_t>(std::max(held, Duration::zero()).count()));
  since_ = now;
  waits_ = 0;
}

}  // namespace quern::internal
