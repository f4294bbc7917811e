#include "nats_bucket.h"

#include <string_view>

#include "nats_connection.h"
#include "nats_limits.h"

namespace quern::cluster {
namespace {

constexpr std::string_view kEvents = "kvev.";

// The stream as it must be; points into `bucket` and itself.
struct StreamSetup {
  StreamSetup(const NatsBucket& bucket, int replicas) : all(bucket.subjects + ">") {
    jsStreamConfig_Init(&config);
    jsRePublish_Init(&republish);
    republish.Source = ">";
    republish.Destination = "kvev.>";
    config.Name = bucket.stream.c_str();
    subjects[0] = all.c_str();
    config.Subjects = subjects;
    config.SubjectsLen = 1;
    config.MaxMsgsPerSubject = 1;
    config.MaxAge = bucket.max_age.count();
    config.Discard = js_DiscardNew;
    config.Replicas = replicas;
    config.DenyDelete = true;
    config.AllowRollup = true;   // as `nats kv` makes its buckets
    config.AllowDirect = false;  // reads come from the leader
    config.RePublish = &republish;
  }
  StreamSetup(const StreamSetup&) = delete;
  StreamSetup& operator=(const StreamSetup&) = delete;

  const std::string all;
  const char* subjects[1] = {};
  jsRePublish republish;
  jsStreamConfig config;
};

Status Failed(const NatsBucket& bucket, natsStatus status, jsErrCode code) {
  const std::string what = "create stream " + bucket.stream + ": " + natsStatus_GetText(status) +
                           " (" + std::to_string(code) + ")";
  if (code == JSNotEnabledErr || code == JSNotEnabledForAccountErr) {
    return absl::UnavailableError(what + ": start the server with JetStream (-js)");
  }
  return absl::UnavailableError(what);
}

// A bucket that someone else made, or an older version of ours: what can be mended is.
Status Adopt(jsCtx* context, const NatsBucket& bucket, jsStreamConfig* wanted) {
  jsStreamInfo* raw = nullptr;
  jsErrCode code{};
  natsStatus s = js_GetStreamInfo(&raw, context, bucket.stream.c_str(), nullptr, &code);
  const NatsPtr<jsStreamInfo> info(raw);
  if (s != NATS_OK) return Failed(bucket, s, code);
  const jsStreamConfig& have = *info->Config;
  if (have.MaxAge != 0 && have.MaxAge < wanted->MaxAge) {
    // Fine: raised below. The longest lease of all who use the bucket counts.
  } else if (wanted->MaxAge == 0 && have.MaxAge != 0) {
    return absl::FailedPreconditionError("stream " + bucket.stream +
                                         " has a max age; records would expire: delete it");
  } else {
    wanted->MaxAge = have.MaxAge;
  }
  wanted->Replicas = have.Replicas;
  const bool fits = !have.AllowDirect && have.RePublish != nullptr &&
                    std::string_view(have.RePublish->Destination) == "kvev.>" &&
                    have.MaxMsgsPerSubject == 1 && have.MaxAge == wanted->MaxAge;
  if (fits) return absl::OkStatus();
  s = js_UpdateStream(nullptr, context, wanted, nullptr, &code);
  if (s == NATS_OK) return absl::OkStatus();
  if (s == NATS_ERR) {
    return absl::FailedPreconditionError("stream " + bucket.stream +
                                         " exists with another setup (" + std::to_string(code) +
                                         "): delete it or name another bucket");
  }
  return Failed(bucket, s, code);
}

}  // namespace

std::string NatsBucket::EventSubject(std::string_view key) const {
  return std::string(kEvents) + Subject(key);
}

std::string_view NatsBucket::KeyOf(std::string_view subject) const {
  if (subject.starts_with(kEvents)) subject.remove_prefix(kEvents.size());
  if (!subject.starts_with(subjects)) return {};
  return subject.substr(subjects.size());
}

Status EnsureBucket(natsConnection* connection, const NatsBucket& bucket, int replicas) {
  jsOptions options;
  jsOptions_Init(&options);
  options.Wait = kNatsSetupTryMs;
  jsCtx* raw = nullptr;
  if (const natsStatus s = natsConnection_JetStream(&raw, connection, &options); s != NATS_OK) {
    return Failed(bucket, s, jsErrCode{});
  }
  const NatsPtr<jsCtx> context(raw);
  StreamSetup setup(bucket, replicas);
  jsErrCode code{};
  const natsStatus s = js_AddStream(nullptr, raw, &setup.config, nullptr, &code);
  if (s == NATS_OK) return absl::OkStatus();
  if (code == JSStreamNameExistErr) return Adopt(raw, bucket, &setup.config);
  return Failed(bucket, s, code);
}

}  // namespace quern::cluster
