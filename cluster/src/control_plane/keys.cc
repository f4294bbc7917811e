#include "quern/cluster/keys.h"

#include <algorithm>

#include "quern/cluster/control_plane.h"
#include "quern/cluster/control_plane_limits.h"

namespace quern::cluster {
namespace {

constexpr char kHex[] = "0123456789ABCDEF";

bool IsPlain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string HexId(uint64_t id) {
  std::string hex(16, '0');
  for (size_t i = 16; i-- > 0; id >>= 4) hex[i] = "0123456789abcdef"[id & 0xF];
  return hex;
}

Status BadToken(std::string_view token) {
  return absl::InvalidArgumentError("not an escaped key token: \"" + std::string(token) + "\"");
}

}  // namespace

// The empty string becomes "=", which no byte does: a token is never empty.
std::string EscapeKeyToken(std::string_view bytes) {
  if (bytes.empty()) return "=";
  std::string token;
  token.reserve(bytes.size());
  for (const char c : bytes) {
    if (IsPlain(c)) {
      token.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    token.push_back('=');
    token.push_back(kHex[byte >> 4]);
    token.push_back(kHex[byte & 0xF]);
  }
  return token;
}

StatusOr<std::string> UnescapeKeyToken(std::string_view token) {
  if (token == "=") return std::string();
  if (token.empty()) return BadToken(token);
  std::string bytes;
  bytes.reserve(token.size());
  for (size_t i = 0; i < token.size(); ++i) {
    if (IsPlain(token[i])) {
      bytes.push_back(token[i]);
      continue;
    }
    if (token[i] != '=' || i + 2 >= token.size()) return BadToken(token);
    const int high = HexValue(token[i + 1]);
    const int low = HexValue(token[i + 2]);
    if (high < 0 || low < 0) return BadToken(token);
    const char byte = static_cast<char>(high * 16 + low);
    if (IsPlain(byte)) return BadToken(token);  // one spelling for each byte
    bytes.push_back(byte);
    i += 2;
  }
  return bytes;
}

KeySpace::KeySpace(std::string_view cluster, uint64_t incarnation_id)
    : root_(EscapeKeyToken(cluster) + "." + HexId(incarnation_id)) {}

std::string KeySpace::Key(std::string_view type, std::string_view id) const {
  return Prefix(type) + "." + EscapeKeyToken(id);
}

std::string KeySpace::Prefix(std::string_view type) const {
  return root_ + "." + std::string(type);
}

StatusOr<std::string> KeySpace::IdOf(std::string_view type, std::string_view key) const {
  const std::string prefix = Prefix(type) + ".";
  if (!key.starts_with(prefix)) {
    return absl::InvalidArgumentError("key " + std::string(key) + " is not under " + prefix);
  }
  return UnescapeKeyToken(key.substr(prefix.size()));
}

std::string StateKey(std::string_view cluster, const GrainId& id) {
  return EscapeKeyToken(cluster) + ".state." + EscapeKeyToken(id.kind) + "." +
         EscapeKeyToken(id.key);
}

std::string StoreIncarnationKey(std::string_view cluster) {
  return EscapeKeyToken(cluster) + ".incarnation";
}

Status ValidateKey(std::string_view key) {
  const bool fits = !key.empty() && key.size() <= kControlPlaneKeyBytesMax;
  const bool plain =
      std::ranges::all_of(key, [](char c) { return IsPlain(c) || c == '=' || c == '.'; });
  if (fits && plain && !key.starts_with('.') && !key.ends_with('.') &&
      key.find("..") == std::string_view::npos) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError("record key \"" + std::string(key.substr(0, 256)) +
                                    "\": a key is tokens of A-Z a-z 0-9 _ = - joined by dots");
}

bool KeyHasPrefix(std::string_view key, std::string_view prefix) {
  if (prefix.ends_with('.')) prefix.remove_suffix(1);
  if (prefix.empty()) return true;
  if (!key.starts_with(prefix)) return false;
  return key.size() == prefix.size() || key[prefix.size()] == '.';
}

}  // namespace quern::cluster
