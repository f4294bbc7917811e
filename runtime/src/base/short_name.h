// A type's name as people say it: without namespaces, which are the same on every line.

#ifndef QUERN_RUNTIME_SRC_BASE_SHORT_NAME_H_
#define QUERN_RUNTIME_SRC_BASE_SHORT_NAME_H_

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace quern::internal {

// "shop::Box<shop::Item>" -> "Box<shop::Item>".
inline std::string_view ShortName(std::string_view name) {
  const size_t arguments = std::min(name.find('<'), name.size());
  const size_t scope = name.substr(0, arguments).rfind("::");
  if (scope != std::string_view::npos) name.remove_prefix(scope + 2);
  return name;
}

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_BASE_SHORT_NAME_H_
