// Grains that are active are told and asked without any memory of the general allocator.

#include <gtest/gtest.h>

#include "allocation_kit.h"
#include "quern/quern.h"

namespace quern {
namespace {

TEST_F(AllocationTest, TellsOfAGrainNeedNoMemory) {
  system_.Host<SinkGrain>({}, &sinking_).IgnoreError();
  auto teller = system_.Spawn<Teller>("teller", system_.Grain<SinkApi>("one")).value();
  teller_ = teller;

  teller.Tell(Begin{});
  span_.Wait();

  ExpectNone(span_);
}

TEST_F(AllocationTest, AsksOfAGrainNeedNoMemory) {
  system_.Host<EchoGrain>({}).IgnoreError();
  auto asker = system_.Spawn<Asker>("asker", system_.Grain<EchoApi>("one"), &span_).value();

  asker.Tell(Begin{});
  span_.Wait();

  ExpectNone(span_);
}

}  // namespace
}  // namespace quern
