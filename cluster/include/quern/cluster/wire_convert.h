// Between the runtime's value types and their protobuf forms. Pure functions.

#ifndef QUERN_CLUSTER_WIRE_CONVERT_H_
#define QUERN_CLUSTER_WIRE_CONVERT_H_

#include "quern/runtime/epoch.h"
#include "quern/runtime/grain_id.h"

namespace quern::wire::v1 {
class Epoch;
class GrainIdentity;
}  // namespace quern::wire::v1

namespace quern::cluster {

void ToProto(const Epoch& epoch, wire::v1::Epoch* out);
Epoch FromProto(const wire::v1::Epoch& epoch);

void ToProto(const GrainId& id, wire::v1::GrainIdentity* out);
GrainId FromProto(const wire::v1::GrainIdentity& id);

}  // namespace quern::cluster

#endif  // QUERN_CLUSTER_WIRE_CONVERT_H_
