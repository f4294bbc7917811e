// A state that belongs to another actor.

#include "quern/runtime/system.h"

struct Knock {};
struct Ring {};
struct DoorApi : quern::Protocol<void(Knock)> {};
struct GateApi : quern::Protocol<void(Knock), void(Ring)> {};

struct Gate;
struct Closed {
  static void On(Gate& self, const Knock&);
};
struct Gate : quern::Actor<GateApi> {
  void On(const Knock&) {}
  void On(const Ring&) {}
};

struct Door : quern::Actor<DoorApi> {
  void On(const Knock&) { Become<Closed>(); }
};
