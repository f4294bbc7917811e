#include "system/debugger_types.h"

#include <boost/fiber/context.hpp>

#include "actor/actor_cell.h"
#include "actor/actor_extras.h"
#include "actor/answer_wait.h"
#include "actor/turn.h"
#include "grain/activation.h"
#include "mailbox/side_mail.h"
#include "scheduler/scheduler.h"
#include "scheduler/waiter.h"
#include "scheduler/worker.h"
#include "system/system_core.h"

namespace quern::internal {

// What stands here is described, and what it has as members.
struct DebuggerTypes {
  const SystemCore* core;
  const Scheduler* scheduler;
  const Worker* worker;
  const Runner* runner;
  const boost::fibers::context* fiber;
  const Waiter* waiter;
  const AnswerWait* answer;
  const Turn* turn;
  const Envelope* envelope;
  const ActorCell* actor;
  const ActorExtras* extras;
  const Family* family;
  const ActorFactory* factory;
  const SideMail* side_mail;
  const ChosenMailbox* mailbox;
  const Activation* activation;
};

void LinkDebuggerTypes(const DebuggerTypes*) {}

}  // namespace quern::internal
