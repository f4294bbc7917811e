// The records of an embedded store: versioned, compare-and-set. Not thread-safe.

#ifndef QUERN_CLUSTER_SRC_EMBEDDED_RECORDS_H_
#define QUERN_CLUSTER_SRC_EMBEDDED_RECORDS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quern/cluster/control_plane.h"

namespace quern::cluster {

// A mutation; without a value it is a Delete.
struct EmbeddedMutation {
  Table table = Table::kControl;
  std::string key;
  std::optional<std::string> value;
  bool create = false;
  uint64_t expected = 0;
};

class EmbeddedRecords {
 public:
  CasResult Apply(EmbeddedMutation mutation);
  std::optional<Record> Get(Table table, std::string_view key) const;
  std::vector<Record> List(Table table, std::string_view prefix) const;

 private:
  struct Row {
    std::string value;
    uint64_t revision = 0;
    bool deleted = false;
  };
  struct Rows {
    std::map<std::string, Row, std::less<>> by_key;
    uint64_t last_revision = 0;
  };

  const Rows& rows(Table table) const { return tables_[static_cast<size_t>(table)]; }

  std::array<Rows, 3> tables_;
};

}  // namespace quern::cluster

#endif  // QUERN_CLUSTER_SRC_EMBEDDED_RECORDS_H_
