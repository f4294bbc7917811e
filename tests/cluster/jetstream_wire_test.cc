#include "jetstream_wire.h"

#include <gtest/gtest.h>

#include "control_plane_conformance.h"
#include "free_port.h"

namespace quern::cluster {
namespace {

std::string Outcome(std::string_view json) {
  const CasResult result = ParsePublishAnswer(json);
  return std::string(Name(result.outcome)) + " " + std::to_string(result.revision);
}

TEST(PublishAnswerTest, AnAcknowledgementCarriesTheRevision) {
  EXPECT_EQ(Outcome(R"({"stream":"KV_c-state", "seq":42})"), "applied 42");
  EXPECT_EQ(Outcome(R"({"stream":"KV_c-state","domain":"dc","seq":18446744073709551615})"),
            "applied 18446744073709551615");
}

TEST(PublishAnswerTest, OnlyAWrongSequenceIsARefusal) {
  const auto error = [](int code) {
    return Outcome(R"({"error":{"code":400,"err_code":)" + std::to_string(code) +
                   R"(,"description":"words"},"stream":"KV_c-state","seq":0})");
  };
  EXPECT_EQ(error(10071), "refused 0");
  EXPECT_EQ(error(10008), "unsent 0");   // temporarily unavailable
  EXPECT_EQ(error(10060), "unsent 0");   // another stream
  EXPECT_EQ(error(10077), "unknown 0");  // storing failed: who knows how far it got
  EXPECT_EQ(error(99999), "unknown 0");
}

TEST(PublishAnswerTest, GarbageLeavesTheOutcomeUnknown) {
  for (const char* json :
       {"", "{}", "[]", "{\"seq\":", "{\"seq\":-1}", "{\"seq\":\"7\"}", "null"}) {
    EXPECT_EQ(Outcome(json), "unknown 0") << json;
  }
}

TEST(StoredMessageTest, ValueAndTombstone) {
  const auto put = ParseStoredMessage(
      R"({"type":"t","message":{"subject":"$KV.b.k","seq":7,"data":"aGk=","time":"2026"}})");
  const auto tombstone = ParseStoredMessage(
      R"({"message":{"subject":"$KV.b.k","seq":8,"hdrs":"TkFUUy8xLjANCktWLU9wZXJhdGlvbjogREVMDQoNCg=="}})");

  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_EQ(put->value + " " + std::to_string(put->sequence), "hi 7");
  EXPECT_FALSE(put->deleted);
  ASSERT_TRUE(tombstone.ok()) << tombstone.status();
  EXPECT_TRUE(tombstone->deleted);
}

TEST(StoredMessageTest, NoMessageIsNotFoundAndGarbageIsDataLoss) {
  EXPECT_TRUE(absl::IsNotFound(
      ParseStoredMessage(R"({"error":{"code":404,"err_code":10037,"description":"no"}})")
          .status()));
  EXPECT_TRUE(absl::IsUnavailable(
      ParseStoredMessage(R"({"error":{"code":503,"err_code":10008,"description":"no"}})")
          .status()));
  for (const char* json : {"", "{}", R"({"message":3})", R"({"message":{"seq":1,"data":"%%%%"}})",
                           R"({"message":{"seq":0,"data":"aGk="}})"}) {
    EXPECT_TRUE(absl::IsDataLoss(ParseStoredMessage(json).status())) << json;
  }
}

TEST(StreamSummaryTest, SubjectsAndTheirTotal) {
  const auto summary = ParseStreamSummary(
      R"({"created":"2026-01-01T00:00:00Z","total":5,"state":{"last_seq":9,"subjects":{"a":1,"b":1}}})");
  const auto empty = ParseStreamSummary(R"({"created":"c","state":{"last_seq":0}})");

  ASSERT_TRUE(summary.ok() && empty.ok());
  EXPECT_EQ(summary->subjects.size(), 2u);
  EXPECT_EQ(summary->subjects_total, 5u);
  EXPECT_EQ(summary->last_sequence, 9u);
  EXPECT_EQ(empty->subjects_total, 0u);
  EXPECT_TRUE(absl::IsNotFound(
      ParseStreamSummary(R"({"error":{"err_code":10059,"description":"gone"}})").status()));
  EXPECT_TRUE(absl::IsDataLoss(ParseStreamSummary("{}").status()));
}

TEST(Base64Test, DecodesWhatIsWellFormed) {
  EXPECT_EQ(*DecodeBase64(""), "");
  EXPECT_EQ(*DecodeBase64("QQ=="), "A");
  EXPECT_EQ(*DecodeBase64("QUI="), "AB");
  EXPECT_EQ(*DecodeBase64("QUJD"), "ABC");
  EXPECT_EQ(*DecodeBase64("AP+/"), std::string("\x00\xFF\xBF", 3));
  EXPECT_FALSE(DecodeBase64("QUJ").ok());
  EXPECT_FALSE(DecodeBase64("QU.D").ok());
}

TEST(FreePortTest, LiesOutsideTheEphemeralRange) {
  const auto random = SeededRandom(1);
  const PortRange ephemeral{11'000, 65'000};
  for (int i = 0; i < 20; ++i) {
    const auto port = FindFreePort(ephemeral, *random);
    ASSERT_TRUE(port.ok()) << port.status();
    EXPECT_TRUE(*port < 11'000 || *port > 65'000) << *port;
  }
  EXPECT_TRUE(absl::IsResourceExhausted(FindFreePort({1, 65'535}, *random).status()));
}

TEST(FreePortTest, TheKernelsRangeIsParsed) {
  EXPECT_EQ(ParseEphemeralRange("32768\t60999\n").first, 32768);
  EXPECT_EQ(ParseEphemeralRange("1024 2048").last, 2048);
  for (const char* text : {"", "x", "5 4", "0 1", "1 99999"}) {
    EXPECT_EQ(ParseEphemeralRange(text).first, 32768) << text;
  }
}

}  // namespace
}  // namespace quern::cluster
