// A state with a handler for a message that its actor is never sent.

#include "quern/runtime/system.h"

struct Knock {};
struct Ring {};
struct DoorApi : quern::Protocol<void(Knock)> {};

struct Door : quern::Actor<DoorApi> {
  struct Closed {
    static void On(Door&, const Knock&) {}
    static void On(Door&, const Ring&) {}
  };
  void On(const Knock&) { Become<Closed>(); }
};
