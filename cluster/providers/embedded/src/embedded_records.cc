#include "embedded_records.h"

#include <utility>

#include "quern/cluster/keys.h"

namespace quern::cluster {

CasResult EmbeddedRecords::Apply(EmbeddedMutation mutation) {
  Rows& rows = tables_[static_cast<size_t>(mutation.table)];
  const auto found = rows.by_key.find(mutation.key);
  const bool absent = found == rows.by_key.end() || found->second.deleted;
  const uint64_t at = found == rows.by_key.end() ? 0 : found->second.revision;
  const bool matches = mutation.create ? absent : at != 0 && at == mutation.expected;
  if (!matches) {
    return CasResult{CasOutcome::kRefused, 0, "the record is at revision " + std::to_string(at)};
  }
  Row& row = found == rows.by_key.end() ? rows.by_key[mutation.key] : found->second;
  row.deleted = !mutation.value.has_value();
  row.value = row.deleted ? std::string() : *std::move(mutation.value);
  row.revision = ++rows.last_revision;
  return CasResult{CasOutcome::kApplied, row.revision, {}};
}

std::optional<Record> EmbeddedRecords::Get(Table table, std::string_view key) const {
  const auto found = rows(table).by_key.find(key);
  if (found == rows(table).by_key.end() || found->second.deleted) return std::nullopt;
  return Record{found->first, found->second.value, found->second.revision};
}

std::vector<Record> EmbeddedRecords::List(Table table, std::string_view prefix) const {
  std::vector<Record> records;
  for (const auto& [key, row] : rows(table).by_key) {
    if (!row.deleted && KeyHasPrefix(key, prefix))
      records.push_back({key, row.value, row.revision});
  }
  return records;
}

}  // namespace quern::cluster
