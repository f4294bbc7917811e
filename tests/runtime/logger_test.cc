#include "quern/runtime/logger.h"

#include <chrono>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace quern {
namespace {

class NoonClock : public Clock {
 public:
  Time Now() const override { return Time{}; }
  WallTime WallNow() const override {
    using namespace std::chrono;
    return WallTime(sys_days(2026y / 1 / 31) + 12h + 34min + 56s + 789ms);
  }
};

const NoonClock kNoon;

// What `use` makes a logger of this form write.
template <typename Use>
std::string Written(LogFormat format, LogLevel level, Use use) {
  const auto logger = StderrLogger("west-1", level, format, kNoon);
  ::testing::internal::CaptureStderr();
  use(*logger);
  return ::testing::internal::GetCapturedStderr();
}

TEST(LoggerTest, TextNamesTimeLevelNameMessageAndFields) {
  const std::string out = Written(LogFormat::kText, LogLevel::kInfo, [](Logger& logger) {
    logger.Log(LogLevel::kWarn, "lease not renewed",
               {{"node", "west-1"}, {"left_ms", 3200}, {"share", 0.5}, {"fenced", false}});
  });

  EXPECT_EQ(out,
            "2026-01-31T12:34:56.789Z WARN  [west-1] lease not renewed node=west-1 left_ms=3200 "
            "share=0.5 fenced=false\n");
}

TEST(LoggerTest, JsonKeepsTheTypesOfFields) {
  const std::string out = Written(LogFormat::kJson, LogLevel::kInfo, [](Logger& logger) {
    logger.Log(LogLevel::kError, "lost", {{"left_ms", -1}, {"share", 0.1}, {"fenced", true}});
  });

  EXPECT_EQ(out,
            "{\"time\":\"2026-01-31T12:34:56.789Z\",\"level\":\"error\",\"name\":\"west-1\","
            "\"message\":\"lost\",\"left_ms\":-1,\"share\":0.1,\"fenced\":true}\n");
}

TEST(LoggerTest, WhatIsBelowTheLevelIsNotWritten) {
  const std::string out = Written(LogFormat::kText, LogLevel::kWarn, [](Logger& logger) {
    EXPECT_FALSE(logger.IsOn(LogLevel::kInfo));
    EXPECT_TRUE(logger.IsOn(LogLevel::kWarn));
    logger.Log(LogLevel::kInfo, "quiet");
    logger.Log(LogLevel::kOff, "never");
  });

  EXPECT_EQ(out, "");
}

TEST(LoggerTest, ALevelOfOffSilencesErrorsToo) {
  const std::string out = Written(LogFormat::kText, LogLevel::kOff,
                                  [](Logger& logger) { logger.Log(LogLevel::kError, "unheard"); });

  EXPECT_EQ(out, "");
}

TEST(LoggerTest, ATextLineStaysOneLineWhateverTheMessageHolds) {
  const std::string out = Written(LogFormat::kText, LogLevel::kInfo, [](Logger& logger) {
    logger.Log(LogLevel::kInfo, "two\nlines\x1b[31m", {{"path", "a b"}, {"empty", ""}});
  });

  EXPECT_EQ(out,
            "2026-01-31T12:34:56.789Z INFO  [west-1] two\\nlines\\u001b[31m path=\"a b\" "
            "empty=\"\"\n");
}

TEST(LoggerTest, JsonEscapesQuotesControlsAndReplacesWhatIsNoUtf8) {
  const std::string out = Written(LogFormat::kJson, LogLevel::kInfo, [](Logger& logger) {
    logger.Log(LogLevel::kInfo, "say \"hi\"\\",
               {{"s", std::string("\x01\t\r\n\0caf\xC3\xA9 \xFF\xC3 \xED\xA0\x80", 17)}});
  });

  EXPECT_EQ(out,
            "{\"time\":\"2026-01-31T12:34:56.789Z\",\"level\":\"info\",\"name\":\"west-1\","
            "\"message\":\"say \\\"hi\\\"\\\\\",\"s\":\"\\u0001\\t\\r\\n\\u0000caf\xC3\xA9 "
            "\xEF\xBF\xBD\xEF\xBF\xBD \xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"}\n");
}

TEST(LoggerTest, JsonHasNoInfinityAndNoSecondMessage) {
  const std::string out = Written(LogFormat::kJson, LogLevel::kInfo, [](Logger& logger) {
    logger.Log(LogLevel::kInfo, "m",
               {{"a", std::numeric_limits<double>::infinity()},
                {"b", std::numeric_limits<double>::quiet_NaN()},
                {"message", "mine"}});
  });

  EXPECT_EQ(out,
            "{\"time\":\"2026-01-31T12:34:56.789Z\",\"level\":\"info\",\"name\":\"west-1\","
            "\"message\":\"m\",\"a\":\"inf\",\"b\":\"nan\",\"message_\":\"mine\"}\n");
}

TEST(LoggerTest, LinesOfManyThreadsAreWrittenWhole) {
  const std::string body(500, 'x');
  const std::string out = Written(LogFormat::kText, LogLevel::kInfo, [&](Logger& logger) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int k = 0; k < 50; ++k) logger.Log(LogLevel::kInfo, body);
      });
    }
    for (std::thread& thread : threads) thread.join();
  });

  const std::string line = "2026-01-31T12:34:56.789Z INFO  [west-1] " + body + "\n";
  ASSERT_EQ(out.size(), 200 * line.size());
  for (size_t i = 0; i < out.size(); i += line.size()) {
    ASSERT_EQ(out.substr(i, line.size()), line);
  }
}

TEST(LoggerTest, TheNullLoggerIsOffAtEveryLevel) {
  ::testing::internal::CaptureStderr();
  NullLogger().Log(LogLevel::kError, "dropped");

  EXPECT_FALSE(NullLogger().IsOn(LogLevel::kError));
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace quern
