// A Protocol that names a message without what it answers.

#include "quern/api.h"

struct Get {};
struct Add {};
struct CounterApi : quern::Protocol<int(Get), Add> {};
