// The metrics of one system, gathered from its parts.

#ifndef QUERN_RUNTIME_SRC_METRICS_COLLECT_H_
#define QUERN_RUNTIME_SRC_METRICS_COLLECT_H_

#include "quern/runtime/metrics.h"

namespace quern::internal {

class SystemCore;

// Thread-safe.
MetricsSnapshot CollectMetrics(const SystemCore& core);

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_METRICS_COLLECT_H_
