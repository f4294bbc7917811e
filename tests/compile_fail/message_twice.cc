// A Protocol with two answers to one message.

#include "quern/api.h"

struct Get {};
struct CounterApi : quern::Protocol<int(Get), long(Get)> {};
