// A Protocol lists values: a message by reference is none.

#include <string>

#include "quern/api.h"

struct GreeterApi : quern::Protocol<void(const std::string&)> {};
