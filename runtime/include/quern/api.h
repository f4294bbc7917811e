// What a header with an Api needs, and no more: Protocol, and Ref by name.

#ifndef QUERN_API_H_
#define QUERN_API_H_

#include <string_view>

#include "quern/runtime/protocol.h"

#endif  // QUERN_API_H_
