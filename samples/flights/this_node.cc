#include "flights/this_node.h"

#include <utility>

namespace flights {
namespace {

// A grain is made by its kind alone, so there is no constructor to hand this to. Constant once the
// process has begun to serve.
std::string& Name() {
  static std::string name;
  return name;
}

}  // namespace

void SetThisNode(std::string name) { Name() = std::move(name); }

const std::string& ThisNode() { return Name(); }

}  // namespace flights
