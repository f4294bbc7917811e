// A state whose handler returns something else than the Api declares.

#include "quern/runtime/system.h"

struct Knock {};
struct DoorApi : quern::Protocol<bool(Knock)> {};

struct Door : quern::Actor<DoorApi> {
  struct Closed {
    static int On(Door&, const Knock&) { return 0; }
  };
  bool On(const Knock&) {
    Become<Closed>();
    return true;
  }
};
