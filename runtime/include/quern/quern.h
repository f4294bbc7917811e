// Everything that a user of actors and grains needs.

#ifndef QUERN_QUERN_H_
#define QUERN_QUERN_H_

#include "quern/api.h"
#include "quern/runtime/actor.h"
#include "quern/runtime/ask.h"
#include "quern/runtime/codec.h"
#include "quern/runtime/context.h"
#include "quern/runtime/dead_letter.h"
#include "quern/runtime/death_watch.h"
#include "quern/runtime/deferred.h"
#include "quern/runtime/delivery.h"
#include "quern/runtime/event_stream.h"
#include "quern/runtime/grain.h"
#include "quern/runtime/grain_filter.h"
#include "quern/runtime/grain_info.h"
#include "quern/runtime/lifecycle_events.h"
#include "quern/runtime/mailbox.h"
#include "quern/runtime/offload.h"
#include "quern/runtime/protocol.h"
#include "quern/runtime/ref.h"
#include "quern/runtime/spawn_options.h"
#include "quern/runtime/state.h"
#include "quern/runtime/status.h"
#include "quern/runtime/supervision.h"
#include "quern/runtime/system.h"

#endif  // QUERN_QUERN_H_
