// What this machine's kernel says of processes: enough to know that one has exited, without
// trusting a pid alone.

#ifndef QUERN_CLUSTER_SRC_NODE_PROCESS_IDENTITY_H_
#define QUERN_CLUSTER_SRC_NODE_PROCESS_IDENTITY_H_

#include <cstdint>
#include <string>

#include "quern/cluster/view.h"

namespace quern::cluster {

struct ProcessIdentity {
  uint64_t pid = 0;
  uint64_t start_time = 0;  // clock ticks since boot, field 22 of /proc/PID/stat; 0: unknown
  std::string boot_id;      // boot and pid name space; empty: unknown
};

// Of the calling process.
ProcessIdentity OwnProcessIdentity();

// True only if `member` ran in this boot and pid name space and no live process has its pid and
// start time. A zombie without live threads has exited. False when in doubt. Reads /proc, some tens
// of microseconds.
bool ProcessIsGone(const Member& member, const ProcessIdentity& own);

}  // namespace quern::cluster

#endif  // QUERN_CLUSTER_SRC_NODE_PROCESS_IDENTITY_H_
