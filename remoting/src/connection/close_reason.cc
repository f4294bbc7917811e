#include "quern/remoting/network.h"

namespace quern::remoting {

std::string_view CloseReasonName(CloseReason reason) {
  switch (reason) {
    case CloseReason::kNone:
      return "none";
    case CloseReason::kBadMagic:
      return "bad_magic";
    case CloseReason::kVersion:
      return "version";
    case CloseReason::kClusterId:
      return "cluster_id";
    case CloseReason::kHandshakeTooLarge:
      return "handshake_too_large";
    case CloseReason::kHandshakeTimeout:
      return "handshake_timeout";
    case CloseReason::kFrameTooLarge:
      return "frame_too_large";
    case CloseReason::kMalformedFrame:
      return "malformed_frame";
    case CloseReason::kUnexpectedFrame:
      return "unexpected_frame";
    case CloseReason::kSelfConnection:
      return "self_connection";
    case CloseReason::kWrongProcess:
      return "wrong_process";
    case CloseReason::kRemoved:
      return "removed";
    case CloseReason::kStaleGeneration:
      return "stale_generation";
    case CloseReason::kShutdown:
      return "shutdown";
    case CloseReason::kIdle:
      return "idle";
    case CloseReason::kLimit:
      return "limit";
  }
  return "unknown";
}

}  // namespace quern::remoting
