#include "grain/visits.h"

#include <sched.h>

namespace quern::internal {
namespace {

constexpr int kLooks = 1000;  // at a visitor who may have lost its core

}  // namespace

void Visits::AwaitNone(const Activation* activation) const {
  for (const Place& place : places_) {
    for (int i = 0; place.activation.load(std::memory_order_seq_cst) == activation; ++i) {
      if (i >= kLooks) sched_yield();
    }
  }
}

}  // namespace quern::internal
