// What the fuzz target and the test over its corpus share. Pure functions.
//
//   FuzzConnection(input);   // the first byte says how the rest is fed

#ifndef QUERN_REMOTING_FUZZ_CONNECTION_FUZZ_H_
#define QUERN_REMOTING_FUZZ_CONNECTION_FUZZ_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace quern::remoting {

// Feeds all bytes in pieces of that size to a fresh connection; how many messages it delivered.
size_t FeedToConnection(std::string_view bytes, bool dialler, uint16_t lane, size_t piece);

void FuzzConnection(std::string_view input);

}  // namespace quern::remoting

#endif  // QUERN_REMOTING_FUZZ_CONNECTION_FUZZ_H_
