// A planted bug: a control plane whose updates of grain state do not compare. Each reads the record
// and overwrites whatever it finds, as a store without compare-and-set would.

#ifndef QUERN_CLUSTER_TESTING_SRC_BLIND_SAVES_H_
#define QUERN_CLUSTER_TESTING_SRC_BLIND_SAVES_H_

#include <memory>
#include <string>
#include <utility>

#include "quern/cluster/control_plane.h"

namespace quern::testing {

class BlindSaves : public cluster::ControlPlane {
 public:
  explicit BlindSaves(cluster::ControlPlane& inner) : inner_(inner) {}

  void Get(cluster::Table table, std::string_view key, Duration timeout,
           GetCallback done) override {
    inner_.Get(table, key, timeout, std::move(done));
  }
  void Create(cluster::Table table, std::string_view key, std::string value, Duration timeout,
              CasCallback done) override {
    inner_.Create(table, key, std::move(value), timeout, std::move(done));
  }
  void Update(cluster::Table table, std::string_view key, std::string value, uint64_t,
              Duration timeout, CasCallback done) override {
    inner_.Get(table, key, timeout,
               [this, table, key = std::string(key), value = std::move(value), timeout,
                done = std::move(done)](StatusOr<cluster::Record> record) {
                 if (!record.ok()) return done({cluster::CasOutcome::kUnsent, 0, "no record"});
                 inner_.Update(table, key, value, record->revision, timeout, done);
               });
  }
  void Delete(cluster::Table table, std::string_view key, uint64_t expected, Duration timeout,
              CasCallback done) override {
    inner_.Delete(table, key, expected, timeout, std::move(done));
  }
  void List(cluster::Table table, std::string_view prefix, Duration timeout,
            ListCallback done) override {
    inner_.List(table, prefix, timeout, std::move(done));
  }
  std::unique_ptr<cluster::WatchHandle> Watch(cluster::Table table, std::string_view prefix,
                                              WatchCallback on_event) override {
    return inner_.Watch(table, prefix, std::move(on_event));
  }

 private:
  cluster::ControlPlane& inner_;
};

}  // namespace quern::testing

#endif  // QUERN_CLUSTER_TESTING_SRC_BLIND_SAVES_H_
