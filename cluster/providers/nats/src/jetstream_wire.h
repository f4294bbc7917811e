// What JetStream's answers say: JSON in, plain structs out. Pure; answers are never trusted to be
// well-formed.

#ifndef QUERN_CLUSTER_SRC_JETSTREAM_WIRE_H_
#define QUERN_CLUSTER_SRC_JETSTREAM_WIRE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "quern/cluster/control_plane.h"
#include "quern/runtime/status.h"

namespace quern::cluster {

// The answer to a publish with an expected sequence. A refusal that the server names is kRefused
// (wrong last sequence) or kUnsent (it never got to storing); what it does not name is kUnknown.
CasResult ParsePublishAnswer(std::string_view json);

// The last message of a subject.
struct StoredMessage {
  std::string subject;
  std::string value;
  uint64_t sequence = 0;
  bool deleted = false;  // a tombstone
};

std::string LastMessageRequest(std::string_view subject);

// NOT_FOUND: no message. UNAVAILABLE: the server's own words. DATA_LOSS: not an answer.
StatusOr<StoredMessage> ParseStoredMessage(std::string_view json);

// A stream and the subjects in it, page by page.
struct StreamSummary {
  std::string created;  // as the server writes it: identifies the stream together with its name
  uint64_t last_sequence = 0;
  std::vector<std::string> subjects;
  size_t subjects_total = 0;  // of the filter, over all pages
};

std::string StreamSummaryRequest(std::string_view subjects_filter, size_t offset);

// NOT_FOUND: no such stream. UNAVAILABLE, DATA_LOSS as above.
StatusOr<StreamSummary> ParseStreamSummary(std::string_view json);

// INVALID_ARGUMENT unless `text` is base64 (RFC 4648, with padding).
StatusOr<std::string> DecodeBase64(std::string_view text);

}  // namespace quern::cluster

#endif  // QUERN_CLUSTER_SRC_JETSTREAM_WIRE_H_
