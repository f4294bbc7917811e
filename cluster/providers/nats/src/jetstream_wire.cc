#include "jetstream_wire.h"

#include <algorithm>
#include <array>
#include <optional>

#include <boost/json/src.hpp>  // header-only: this is the one file that uses it

namespace quern::cluster {
namespace {

namespace json = boost::json;

// nats-server, errors.json.
constexpr int kWrongLastSequence = 10071;
constexpr int kNoMessageFound = 10037;
constexpr int kStreamNotFound = 10059;

// Said before anything is stored: the mutation is surely not applied.
constexpr std::array kNotStored{
    10002,  // account resource limits
    10008,  // temporarily unavailable
    10009,  // not the leader
    10023,  // insufficient resources
    10028,  // memory resources exceeded
    10035,  // account requires a stream limit
    10039,  // not enabled for the account
    10047,  // storage resources exceeded
    10054,  // message larger than the stream takes
    10059,  // no such stream
    10060,  // another stream than expected
    10076,  // JetStream not enabled
    10109,  // sealed
    10118,  // stream offline
    10167,  // too many requests
};

std::optional<json::object> ParseObject(std::string_view text) {
  boost::system::error_code error;
  json::value value = json::parse(json::string_view(text.data(), text.size()), error);
  if (error || !value.is_object()) return std::nullopt;
  return std::move(value.get_object());
}

uint64_t NumberOf(const json::object& object, const char* name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr) return 0;
  boost::system::error_code error;
  const auto number = value->to_number<uint64_t>(error);
  return error ? 0 : number;
}

std::string TextOf(const json::object& object, const char* name) {
  const json::value* value = object.if_contains(name);
  const json::string* text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? std::string() : std::string(text->data(), text->size());
}

const json::object* ObjectOf(const json::object& object, const char* name) {
  const json::value* value = object.if_contains(name);
  return value == nullptr ? nullptr : value->if_object();
}

// OK when the answer has no error member.
Status ErrorOf(const json::object& answer, int not_found_code) {
  const json::object* error = ObjectOf(answer, "error");
  if (error == nullptr) return absl::OkStatus();
  const auto code = static_cast<int>(NumberOf(*error, "err_code"));
  const std::string words = TextOf(*error, "description") + " (" + std::to_string(code) + ")";
  return code == not_found_code ? absl::NotFoundError(words) : absl::UnavailableError(words);
}

Status NotAnAnswer() { return absl::DataLossError("not an answer of JetStream"); }

int Base64Value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

}  // namespace

CasResult ParsePublishAnswer(std::string_view text) {
  const std::optional<json::object> answer = ParseObject(text);
  if (!answer) return {CasOutcome::kUnknown, 0, std::string(NotAnAnswer().message())};
  if (const json::object* error = ObjectOf(*answer, "error")) {
    const auto code = static_cast<int>(NumberOf(*error, "err_code"));
    CasOutcome outcome = CasOutcome::kUnknown;
    if (code == kWrongLastSequence) outcome = CasOutcome::kRefused;
    if (std::ranges::find(kNotStored, code) != kNotStored.end()) outcome = CasOutcome::kUnsent;
    return {outcome, 0, TextOf(*error, "description") + " (" + std::to_string(code) + ")"};
  }
  const uint64_t sequence = NumberOf(*answer, "seq");
  if (sequence == 0) return {CasOutcome::kUnknown, 0, std::string(NotAnAnswer().message())};
  return {CasOutcome::kApplied, sequence, {}};
}

std::string LastMessageRequest(std::string_view subject) {
  return json::serialize(
      json::object{{"last_by_subj", json::string_view(subject.data(), subject.size())}});
}

StatusOr<StoredMessage> ParseStoredMessage(std::string_view text) {
  const std::optional<json::object> answer = ParseObject(text);
  if (!answer) return NotAnAnswer();
  if (Status status = ErrorOf(*answer, kNoMessageFound); !status.ok()) return status;
  const json::object* message = ObjectOf(*answer, "message");
  if (message == nullptr) return NotAnAnswer();
  StatusOr<std::string> value = DecodeBase64(TextOf(*message, "data"));
  const StatusOr<std::string> headers = DecodeBase64(TextOf(*message, "hdrs"));
  StoredMessage stored;
  stored.subject = TextOf(*message, "subject");
  stored.sequence = NumberOf(*message, "seq");
  if (!value.ok() || !headers.ok() || stored.sequence == 0) return NotAnAnswer();
  stored.value = *std::move(value);
  stored.deleted = headers->find("KV-Operation: DEL") != std::string::npos ||
                   headers->find("KV-Operation: PURGE") != std::string::npos;
  return stored;
}

std::string StreamSummaryRequest(std::string_view subjects_filter, size_t offset) {
  return json::serialize(json::object{
      {"subjects_filter", json::string_view(subjects_filter.data(), subjects_filter.size())},
      {"offset", offset}});
}

StatusOr<StreamSummary> ParseStreamSummary(std::string_view text) {
  const std::optional<json::object> answer = ParseObject(text);
  if (!answer) return NotAnAnswer();
  if (Status status = ErrorOf(*answer, kStreamNotFound); !status.ok()) return status;
  const json::object* state = ObjectOf(*answer, "state");
  if (state == nullptr) return NotAnAnswer();
  StreamSummary summary;
  summary.created = TextOf(*answer, "created");
  summary.last_sequence = NumberOf(*state, "last_seq");
  if (const json::object* subjects = ObjectOf(*state, "subjects")) {
    for (const auto& subject : *subjects) {
      summary.subjects.emplace_back(subject.key().data(), subject.key().size());
    }
  }
  summary.subjects_total = std::max(NumberOf(*answer, "total"), summary.subjects.size());
  return summary;
}

StatusOr<std::string> DecodeBase64(std::string_view text) {
  if (text.size() % 4 != 0) return absl::InvalidArgumentError("base64: length");
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string bytes;
  bytes.reserve(text.size() * 3 / 4);
  uint32_t group = 0;
  int bits = 0;
  for (const char c : text) {
    const int value = Base64Value(c);
    if (value < 0) return absl::InvalidArgumentError("base64: character");
    group = (group << 6) | static_cast<uint32_t>(value);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes.push_back(static_cast<char>(group >> bits));
    }
  }
  return bytes;
}

}  // namespace quern::cluster
