#include "quern/runtime/grain_id.h"

#include <string>

#include <gtest/gtest.h>

#include "quern/runtime/epoch.h"

namespace quern {
namespace {

bool IsValid(const std::string& kind, const std::string& key) {
  const Status valid = GrainId(kind, key).Validate();
  EXPECT_TRUE(valid.ok() || valid.code() == absl::StatusCode::kInvalidArgument) << valid;
  return valid.ok();
}

TEST(GrainIdTest, KindsAreShortAndPlain) {
  EXPECT_TRUE(IsValid("a", "k"));
  EXPECT_TRUE(IsValid("shop.cart-2_b", "k"));
  EXPECT_TRUE(IsValid(std::string(64, 'a'), "k"));
  EXPECT_FALSE(IsValid("", "k"));
  EXPECT_FALSE(IsValid(std::string(65, 'a'), "k"));
  EXPECT_FALSE(IsValid("Cart", "k"));
  EXPECT_FALSE(IsValid("a/b", "k"));
}

TEST(GrainIdTest, KeysAreUtf8WithoutControlCharacters) {
  EXPECT_TRUE(IsValid("a", "page/home caf\xC3\xA9 \xF0\x9F\x8C\xBE"));
  EXPECT_TRUE(IsValid("a", std::string(255, 'x')));
  EXPECT_FALSE(IsValid("a", ""));
  EXPECT_FALSE(IsValid("a", std::string(256, 'x')));
  EXPECT_FALSE(IsValid("a", "two\nlines"));
  EXPECT_FALSE(IsValid("a", "\x7F"));
  EXPECT_FALSE(IsValid("a", "\xC0\xAF"));      // overlong
  EXPECT_FALSE(IsValid("a", "\xED\xA0\x80"));  // a surrogate
  EXPECT_FALSE(IsValid("a", "cut\xE2\x82"));
}

// Two nodes, of two versions, place a grain alike: these numbers may never change.
TEST(GrainIdTest, TheStableHashIsXxh3OverLengthPrefixedParts) {
  EXPECT_EQ(StableHash(GrainId("counter", "page/home"), 0), 0x208d42d5f2a39915u);
  EXPECT_EQ(StableHash(GrainId("counter", "page/home"), 42), 0xcf0065b638e23e44u);
  EXPECT_EQ(StableHash(GrainId(std::string(300, 'k'), std::string(500, 'x')), 0),
            0x874d19ec31d25a52u);
}

TEST(GrainIdTest, PartsThatJoinAlikeHashApart) {
  EXPECT_NE(StableHash(GrainId("ab", "c"), 0), StableHash(GrainId("a", "bc"), 0));
}

TEST(EpochTest, ComparesFieldByFieldAndPrints) {
  EXPECT_LT((Epoch{0, 1, 9, 9}), (Epoch{0, 2, 1, 1}));
  EXPECT_LT((Epoch{0, 9, 9, 9}), (Epoch{1, 0, 0, 0}));
  EXPECT_TRUE(Epoch{}.IsZero());
  EXPECT_EQ((Epoch{1, 2, 3, 4}).ToString(), "1.2.3.4");
}

}  // namespace
}  // namespace quern
