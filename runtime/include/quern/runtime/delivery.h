// What became of a Tell. Tell never waits, and a drop is visible: it is also counted and
// dead-lettered.

#ifndef QUERN_RUNTIME_DELIVERY_H_
#define QUERN_RUNTIME_DELIVERY_H_

#include <cstdint>
#include <string_view>

namespace quern {

enum class Delivery : uint8_t {
  kAccepted,     // in the mailbox, or on its way to another node
  kFull,         // a bounded mailbox or the peer's credit is used up
  kStopped,      // the target has stopped, or the Ref is empty
  kUnreachable,  // another node, and no way there
};

// "accepted", "full", "stopped", "unreachable".
std::string_view DeliveryName(Delivery delivery);

}  // namespace quern

#endif  // QUERN_RUNTIME_DELIVERY_H_
