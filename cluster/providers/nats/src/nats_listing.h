// Reads all records under a prefix from a bucket's leader: the subjects page by page, then the last
// message of each. For the loop's thread.

#ifndef QUERN_CLUSTER_SRC_NATS_LISTING_H_
#define QUERN_CLUSTER_SRC_NATS_LISTING_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "jetstream_wire.h"
#include "nats_bucket.h"
#include "nats_loop.h"
#include "nats_requests.h"

namespace quern::cluster {

struct NatsListing {
  std::string created;                  // the stream's
  uint64_t last_sequence = 0;           // of the stream, before the first record was read
  std::vector<StoredMessage> messages;  // tombstones included; `subject` holds the key
};

using OnNatsListing = std::function<void(StatusOr<NatsListing>)>;

// `done` is called once. UNAVAILABLE, DEADLINE_EXCEEDED, CANCELLED (the plane is closed).
void ListBucket(NatsLoop& loop, NatsRequests& requests, const NatsBucket& bucket,
                std::string prefix, Duration timeout, OnNatsListing done);

// A request for the last message of `key`. NOT_FOUND: none ever, or forgotten.
void ReadLastMessage(NatsRequests& requests, const NatsBucket& bucket, const std::string& key,
                     Duration timeout, std::function<void(StatusOr<StoredMessage>)> done);

// The status of an answer that is none.
Status NoAnswer(const NatsAnswer& answer);

}  // namespace quern::cluster

#endif  // QUERN_CLUSTER_SRC_NATS_LISTING_H_
