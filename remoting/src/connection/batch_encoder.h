// Turns messages into batch frames: as many as piled up, in the order of the calls.
//
//   BatchEncoder encoder(kUserLane);
//   encoder.AddUser(request_id, &message, now).IgnoreError();
//   encoder.AddReply(request_id, &reply);
//   stream->Write(encoder.Take());   // one write
//
// Numbers every message within its kind and declares a message type before its first use. Sans-I/O;
// belongs to one owner.

#ifndef QUERN_REMOTING_SRC_CONNECTION_BATCH_ENCODER_H_
#define QUERN_REMOTING_SRC_CONNECTION_BATCH_ENCODER_H_

#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>

#include "frame/frame.h"
#include "quern/remoting/network.h"
#include "quern/wire/v1/wire.pb.h"

namespace quern::remoting {

class BatchEncoder {
 public:
  explicit BatchEncoder(uint16_t lane) : lane_(lane) {}

  void set_lane(uint16_t lane) { lane_ = lane; }

  void set_frame_bytes_max(uint32_t bytes) { frame_bytes_max_ = bytes; }
  void set_view_version(uint64_t version) { view_version_ = version; }

  // Each takes the strings out of its argument. INVALID_ARGUMENT: too large for the peer's frames;
  // RESOURCE_EXHAUSTED: no room for another message type. Nothing was added then.
  Status AddUser(uint64_t request_id, UserMessage* message, Time now);
  Status AddReply(uint64_t request_id, UserReply* reply);
  Status AddSystem(uint64_t request_id, SystemBody* body, Time deadline, Time now);
  Status AddSystemReply(uint64_t request_id, StatusOr<SystemBody>* reply);

  bool empty() const { return out_.empty(); }
  size_t bytes() const { return out_.size(); }
  uint64_t frames() const { return frames_; }

  // Ends the frame in progress and hands over all of them.
  std::string Take();

 private:
  template <typename Item>
  Status Append(FrameType type, uint8_t field, const Item& item, const std::string* declare);
  void BeginBatch(FrameType type);
  void EndBatch();
  void DeclareType(const std::string& name);
  uint64_t& NextSequence(FrameType type);

  uint16_t lane_;
  uint32_t frame_bytes_max_ = limits::kFrameBytesMax;
  uint64_t view_version_ = 0;
  std::string out_;
  size_t frame_begin_ = 0;
  bool frame_open_ = false;
  FrameType frame_type_ = FrameType::kUserBatch;
  uint64_t frames_ = 0;
  std::array<uint64_t, 3> sequences_{};
  std::unordered_map<std::string, uint32_t> types_;  // name -> id, from 1
  wire::v1::UserMessage user_;                       // reused
  wire::v1::Reply reply_;                            // reused
  wire::v1::SystemMessage system_;                   // reused
};

}  // namespace quern::remoting

#endif  // QUERN_REMOTING_SRC_CONNECTION_BATCH_ENCODER_H_
