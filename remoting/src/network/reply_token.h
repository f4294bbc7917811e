// The right to answer one ask that came from a peer. The first answer counts; a token that is
// dropped without one answers ABORTED, so that no asker waits for nothing.
//
//   auto token = std::make_shared<ReplyToken>(inbox, channel.id, request_id);
//   token->Answer(std::move(reply));
//
// Thread-safe. Shared by the copies of a reply function.

#ifndef QUERN_REMOTING_SRC_NETWORK_REPLY_TOKEN_H_
#define QUERN_REMOTING_SRC_NETWORK_REPLY_TOKEN_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "network/inbox.h"

namespace quern::remoting {

class ReplyToken {
 public:
  ReplyToken(std::shared_ptr<Inbox> inbox, uint64_t channel, uint64_t request_id)
      : inbox_(std::move(inbox)), channel_(channel), request_id_(request_id) {}
  ReplyToken(const ReplyToken&) = delete;
  ReplyToken& operator=(const ReplyToken&) = delete;
  ~ReplyToken() {
    if (!answered_.load(std::memory_order_acquire)) Answer(UserReply{.status = Dropped()});
  }

  void Answer(UserReply reply) {
    if (answered_.exchange(true)) return;
    inbox_->Reply({channel_, request_id_, std::move(reply)});
  }

  static Status Dropped() { return absl::AbortedError("the ask was dropped without an answer"); }

 private:
  const std::shared_ptr<Inbox> inbox_;
  const uint64_t channel_;
  const uint64_t request_id_;
  std::atomic<bool> answered_{false};
};

class SystemReplyToken {
 public:
  SystemReplyToken(std::shared_ptr<Inbox> inbox, uint64_t channel, uint64_t request_id)
      : inbox_(std::move(inbox)), channel_(channel), request_id_(request_id) {}
  SystemReplyToken(const SystemReplyToken&) = delete;
  SystemReplyToken& operator=(const SystemReplyToken&) = delete;
  ~SystemReplyToken() {
    if (!answered_.load(std::memory_order_acquire)) Answer(ReplyToken::Dropped());
  }

  void Answer(StatusOr<SystemBody> reply) {
    if (answered_.exchange(true)) return;
    inbox_->ReplySystem({channel_, request_id_, std::move(reply)});
  }

 private:
  const std::shared_ptr<Inbox> inbox_;
  const uint64_t channel_;
  const uint64_t request_id_;
  std::atomic<bool> answered_{false};
};

}  // namespace quern::remoting

#endif  // QUERN_REMOTING_SRC_NETWORK_REPLY_TOKEN_H_
