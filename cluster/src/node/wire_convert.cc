#include "quern/cluster/wire_convert.h"

#include "quern/wire/v1/wire.pb.h"

namespace quern::cluster {

void ToProto(const Epoch& epoch, wire::v1::Epoch* out) {
  out->set_home_term(epoch.home_term);
  out->set_incarnation(epoch.incarnation);
  out->set_view_version(epoch.view_version);
  out->set_counter(epoch.counter);
}

Epoch FromProto(const wire::v1::Epoch& epoch) {
  return {epoch.home_term(), epoch.incarnation(), epoch.view_version(), epoch.counter()};
}

void ToProto(const GrainId& id, wire::v1::GrainIdentity* out) {
  out->set_kind(id.kind);
  out->set_key(id.key);
}

GrainId FromProto(const wire::v1::GrainIdentity& id) { return GrainId(id.kind(), id.key()); }

}  // namespace quern::cluster
