// An actor that watches another and has no handler for its end.

#include "quern/runtime/system.h"

struct Hire {};
struct BossApi : quern::Protocol<void(Hire)> {};

struct Boss : quern::Actor<BossApi> {
  quern::Status On(const Hire&, quern::Context& context) { return context.Watch(*this, worker); }
  quern::Ref<BossApi> worker;
};

void Start(quern::System& system) { system.Spawn<Boss>("boss").value(); }
