// libFuzzer's entry: `./dev fuzz`, or build preset `fuzz` and run quern_connection_fuzz CORPUS.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "connection_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  quern::remoting::FuzzConnection({reinterpret_cast<const char*>(data), size});
  return 0;
}
