// The view as it is stored (v1::View) and as everybody else sees it (View). Whoever changes the
// record edits the parsed message, so that fields of a newer version survive.

#ifndef QUERN_CLUSTER_SRC_VIEW_VIEW_RECORD_H_
#define QUERN_CLUSTER_SRC_VIEW_VIEW_RECORD_H_

#include <string>
#include <string_view>

#include "quern/cluster/v1/cluster.pb.h"
#include "quern/cluster/view.h"
#include "quern/runtime/status.h"

namespace quern::cluster::internal {

// DATA_LOSS, with what is wrong, for anything that we did not write.
StatusOr<v1::View> ParseViewRecord(std::string_view bytes);
Status CheckViewRecord(const v1::View& record);

View ToView(const v1::View& record);

// Sets the known fields of `record` from `member`.
void FillMember(const Member& member, v1::Member* record);

// nullptr when it is not there.
v1::Member* FindMember(v1::View* record, const remoting::ProcessId& process);

// Process ids travel as 16 bytes.
std::string ProcessBytes(const remoting::ProcessId& process);
StatusOr<remoting::ProcessId> ProcessFromBytes(std::string_view bytes);
std::string ProcessHex(const remoting::ProcessId& process);

}  // namespace quern::cluster::internal

#endif  // QUERN_CLUSTER_SRC_VIEW_VIEW_RECORD_H_
