#include "quern/cluster/nats_control_plane.h"

#include <algorithm>
#include <utility>

#include "nats_session.h"

namespace quern::cluster {
namespace {

bool IsBucketByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

// A cluster's name as a bucket's: '=' of the escape is not allowed there, and '_' stands for it.
std::string BucketOf(const std::string& cluster) {
  std::string name;
  for (const char c : cluster) {
    if (c == '_') {
      name += "__";
    } else {
      for (const char e : EscapeKeyToken(std::string_view(&c, 1)))
        name.push_back(e == '=' ? '_' : e);
    }
  }
  return name;
}

Status Check(const NatsControlPlaneOptions& options) {
  if (options.url.empty()) return absl::InvalidArgumentError("NatsControlPlane: url is empty");
  if (options.bucket.empty() && options.cluster.empty()) {
    return absl::InvalidArgumentError("NatsControlPlane: neither cluster nor bucket is named");
  }
  if (!std::ranges::all_of(options.bucket, IsBucketByte)) {
    return absl::InvalidArgumentError("NatsControlPlane: bucket \"" + options.bucket +
                                      "\" has bytes other than A-Z a-z 0-9 _ -");
  }
  if (options.lease_ttl <= Duration::zero()) {
    return absl::InvalidArgumentError("NatsControlPlane: lease_ttl is not positive");
  }
  if (options.replicas < 1) {
    return absl::InvalidArgumentError("NatsControlPlane: replicas is less than 1");
  }
  return absl::OkStatus();
}

}  // namespace

StatusOr<std::unique_ptr<NatsControlPlane>> NatsControlPlane::Connect(
    NatsControlPlaneOptions options) {
  if (Status checked = Check(options); !checked.ok()) return checked;
  const std::string bucket = options.bucket.empty() ? BucketOf(options.cluster) : options.bucket;
  auto session = std::make_unique<Session>(std::move(options), bucket);
  if (Status opened = session->Open(); !opened.ok()) return opened;
  return std::unique_ptr<NatsControlPlane>(new NatsControlPlane(std::move(session)));
}

NatsControlPlane::NatsControlPlane(std::unique_ptr<Session> session)
    : session_(std::move(session)) {}

NatsControlPlane::~NatsControlPlane() = default;

void NatsControlPlane::Get(Table table, std::string_view key, Duration timeout, GetCallback done) {
  session_->Get(table, std::string(key), timeout, std::move(done));
}

void NatsControlPlane::Create(Table table, std::string_view key, std::string value,
                              Duration timeout, CasCallback done) {
  session_->Create(table, std::string(key), std::move(value), timeout, std::move(done));
}

void NatsControlPlane::Update(Table table, std::string_view key, std::string value,
                              uint64_t expected, Duration timeout, CasCallback done) {
  session_->Mutate({table, std::string(key), std::move(value), expected}, timeout, std::move(done));
}

void NatsControlPlane::Delete(Table table, std::string_view key, uint64_t expected,
                              Duration timeout, CasCallback done) {
  session_->Mutate({table, std::string(key), std::nullopt, expected}, timeout, std::move(done));
}

void NatsControlPlane::List(Table table, std::string_view prefix, Duration timeout,
                            ListCallback done) {
  session_->List(table, std::string(prefix), timeout, std::move(done));
}

std::unique_ptr<WatchHandle> NatsControlPlane::Watch(Table table, std::string_view prefix,
                                                     WatchCallback on_event) {
  return session_->Watch(table, std::string(prefix), std::move(on_event));
}

bool NatsControlPlane::store_recreated() const { return session_->store_recreated(); }

}  // namespace quern::cluster
