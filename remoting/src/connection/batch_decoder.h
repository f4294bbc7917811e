// Reads batch frames, one message at a time, so that what a frame can make us hold is one message.
//
//   BatchDecoder decoder;
//   CloseReason reason = decoder.Read(FrameType::kUserBatch, body, now, sink);
//
// Knows the types that the peer declared on this connection: a message of another is never parsed.
// Sans-I/O; belongs to one owner. Any reason but kNone is final.

#ifndef QUERN_REMOTING_SRC_CONNECTION_BATCH_DECODER_H_
#define QUERN_REMOTING_SRC_CONNECTION_BATCH_DECODER_H_

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "frame/frame.h"
#include "quern/remoting/network.h"
#include "quern/wire/v1/wire.pb.h"

namespace quern::remoting {

class BatchSink {
 public:
  virtual ~BatchSink() = default;

  // Before the first message of a batch.
  virtual void OnBatch(uint64_t view_version) = 0;

  // Before the first message of a batch that is not a reply. kStaleGeneration: a younger connection
  // of this lane has been heard, so nothing that goes forward on this one may be delivered. Replies
  // have no order to keep and are taken on any connection.
  virtual CloseReason OnForward() = 0;

  // `request_id` is 0 for a tell. False ends the reading: the connection was closed meanwhile.
  virtual bool OnUser(uint64_t request_id, UserMessage message) = 0;
  virtual bool OnReply(uint64_t request_id, UserReply reply) = 0;
  virtual bool OnSystem(uint64_t request_id, SystemBody body, Time deadline) = 0;
  virtual bool OnSystemReply(uint64_t request_id, StatusOr<SystemBody> reply) = 0;
};

class BatchDecoder {
 public:
  // kMalformedFrame, kUnexpectedFrame (a gap or a step back in the sequence), kLimit (types), or
  // what the sink said.
  CloseReason Read(FrameType type, std::string_view body, Time now, BatchSink& sink);

  size_t types() const { return types_.size(); }

 private:
  struct Batch;

  CloseReason Begin(Batch* batch);
  CloseReason BeginForward(Batch* batch);
  CloseReason ReadDeclaration(std::string_view bytes);
  CloseReason ReadItem(Batch* batch, std::string_view bytes);
  CloseReason ReadUser(Batch* batch, std::string_view bytes);
  CloseReason ReadReply(Batch* batch, std::string_view bytes);
  CloseReason ReadSystem(Batch* batch, std::string_view bytes);

  std::vector<std::string> types_;  // id - 1 -> name
  std::array<uint64_t, 3> sequences_{};
  wire::v1::UserMessage user_;      // reused
  wire::v1::Reply reply_;           // reused
  wire::v1::SystemMessage system_;  // reused
};

}  // namespace quern::remoting

#endif  // QUERN_REMOTING_SRC_CONNECTION_BATCH_DECODER_H_
