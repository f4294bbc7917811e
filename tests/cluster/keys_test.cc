#include "quern/cluster/keys.h"

#include <set>

#include <gtest/gtest.h>

#include "quern/cluster/control_plane.h"
#include "quern/runtime/random.h"

namespace quern::cluster {
namespace {

std::string RandomBytes(Random& random) {
  std::string bytes(random.Below(40), '\0');
  for (char& c : bytes) {
    // Half of the bytes from the few that matter: separators, wildcards, the escape itself.
    constexpr std::string_view kSharp = ".*>=$ /_-A0\0\n";
    c = random.Below(2) == 0 ? kSharp[random.Below(kSharp.size())]
                             : static_cast<char>(random.Below(256));
  }
  return bytes;
}

TEST(KeyTokenTest, AnyBytesSurviveAndAreOneToken) {
  const uint64_t seed = SystemRandom().Next();
  SCOPED_TRACE("seed " + std::to_string(seed));
  const auto random = SeededRandom(seed);

  for (int i = 0; i < 20'000; ++i) {
    const std::string bytes = RandomBytes(*random);
    const std::string token = EscapeKeyToken(bytes);
    ASSERT_TRUE(ValidateKey(token).ok()) << token;
    ASSERT_EQ(token.find('.'), std::string::npos) << token;
    const auto back = UnescapeKeyToken(token);
    ASSERT_TRUE(back.ok()) << back.status();
    ASSERT_EQ(*back, bytes);
  }
}

TEST(KeyTokenTest, EveryBytePlainOrEscaped) {
  EXPECT_EQ(EscapeKeyToken("AZaz09_-"), "AZaz09_-");
  EXPECT_EQ(EscapeKeyToken("a.b*>= $/"), "a=2Eb=2A=3E=3D=20=24=2F");
  EXPECT_EQ(EscapeKeyToken(std::string_view("\0\xFF", 2)), "=00=FF");
  EXPECT_EQ(EscapeKeyToken(""), "=");
}

TEST(KeyTokenTest, WhatEscapeNeverMakesIsRefused) {
  for (const char* token : {"", "=2", "=2e", "=GG", "a=", "=41", "a.b", "a b", "==", "\xFF"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(UnescapeKeyToken(token).status())) << token;
  }
}

TEST(KeySpaceTest, KeysCarryTheIncarnation) {
  const KeySpace keys("my.cluster", 0x9F);

  EXPECT_EQ(keys.Key("lease", "node 1"), "my=2Ecluster.000000000000009f.lease.node=201");
  EXPECT_EQ(keys.Prefix("lease"), "my=2Ecluster.000000000000009f.lease");
  EXPECT_EQ(*keys.IdOf("lease", keys.Key("lease", "node 1")), "node 1");
  EXPECT_FALSE(keys.IdOf("lease", keys.Key("view", "main")).ok());
  EXPECT_FALSE(keys.IdOf("lease", KeySpace("my.cluster", 1).Key("lease", "a")).ok());
}

TEST(KeySpaceTest, StateKeysKeepKindAndKeyApartAndLackTheIncarnation) {
  EXPECT_EQ(StateKey("flights", GrainId("airport", "ORD")), "flights.state.airport.ORD");
  EXPECT_EQ(StoreIncarnationKey("flights"), "flights.incarnation");
  const std::set<std::string> keys{StateKey("c", GrainId("a", "b/c")),
                                   StateKey("c", GrainId("a.b", "c")),
                                   StateKey("c", GrainId("a", "b.c"))};
  EXPECT_EQ(keys.size(), 3u);
}

TEST(KeySpaceTest, TheLongestGrainIdMakesAValidKey) {
  const GrainId longest(std::string(64, '.'), std::string(255, '/'));
  EXPECT_TRUE(ValidateKey(StateKey(std::string(64, '.'), longest)).ok());
}

TEST(KeyPrefixTest, MatchesWholeTokens) {
  EXPECT_TRUE(KeyHasPrefix("a.b.c", "a.b"));
  EXPECT_TRUE(KeyHasPrefix("a.b.c", "a.b."));
  EXPECT_TRUE(KeyHasPrefix("a.b", "a.b"));
  EXPECT_TRUE(KeyHasPrefix("a.b", ""));
  EXPECT_FALSE(KeyHasPrefix("a.bc", "a.b"));
  EXPECT_FALSE(KeyHasPrefix("a", "a.b"));
}

}  // namespace
}  // namespace quern::cluster
