// Bugs to plant into a StepDriver, so that a test can show that it would find them: each does what
// a mistake in the scheduler or the mailbox would do.

#ifndef QUERN_RUNTIME_SRC_SCHEDULER_STEP_SABOTAGE_H_
#define QUERN_RUNTIME_SRC_SCHEDULER_STEP_SABOTAGE_H_

#include <cstdint>

namespace quern::internal {

class MailboxCell;
class SystemCore;

enum class Sabotage : uint8_t {
  kNone,
  kLoseWakeUp,      // a handler that has been woken is forgotten
  kLoseReadyActor,  // an actor that has been made ready is forgotten
  kRunBeside,       // an actor whose handler is suspended runs a second turn
  kSwapMessages,    // two messages of one sender change places
  kLoseMessage,
  kLoseTimer,
  kForgetActivation,  // the host takes a grain that is active, or leaving, for one that is not
                      // there
  kLoseWaiting,       // a message that waits for a grain on its way out
};

class StepSabotage {
 public:
  // Two messages of one sender at the head of the mailbox. Nothing when there are none.
  static void SwapMessages(MailboxCell& cell);
  static void LoseMessage(MailboxCell& cell);
  // The first such grain or message, if there is one.
  static void ForgetActivation(SystemCore& core);
  static void LoseWaiting(SystemCore& core);
  // A second turn would run a handler at once.
  static bool WouldRunHandler(const MailboxCell& cell);

 private:
  static void SwapChosen(MailboxCell& cell);
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_SCHEDULER_STEP_SABOTAGE_H_
