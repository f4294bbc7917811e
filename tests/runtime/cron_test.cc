#include "quern/runtime/cron.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <string_view>

#include <absl/time/time.h>

namespace quern {
namespace {

WallTime At(std::string_view utc) {
  absl::Time t;
  std::string error;
  EXPECT_TRUE(absl::ParseTime("%Y-%m-%d %H:%M:%S", std::string(utc), &t, &error)) << error;
  return WallTime(std::chrono::nanoseconds(absl::ToUnixNanos(t)));
}

// The next `count` instants in UTC, as "month-day hour:minute:second".
std::string Next(std::string_view expression, std::string_view zone, std::string_view after,
                 int count) {
  const auto schedule = CronSchedule::Parse(expression, zone);
  if (!schedule.ok()) return schedule.status().ToString();
  WallTime t = At(after);
  std::string all;
  for (int i = 0; i < count; ++i) {
    t = schedule->Next(t);
    all += (i == 0 ? "" : ", ") +
           absl::FormatTime(
               "%m-%d %H:%M:%S",
               absl::FromChrono(std::chrono::system_clock::time_point(t.time_since_epoch())),
               absl::UTCTimeZone());
  }
  return all;
}

std::string Utc(std::string_view expression, std::string_view after, int count) {
  return Next(expression, "UTC", after, count);
}

std::string Error(std::string_view expression, std::string_view zone = "UTC") {
  const auto schedule = CronSchedule::Parse(expression, zone);
  EXPECT_EQ(schedule.status().code(), absl::StatusCode::kInvalidArgument) << expression;
  return std::string(schedule.status().message());
}

TEST(CronScheduleTest, KnowsStarsNumbersRangesStepsAndLists) {
  EXPECT_EQ(Utc("0 */5 * * * *", "2026-03-01 00:04:59", 3),
            "03-01 00:05:00, 03-01 00:10:00, 03-01 00:15:00");
  EXPECT_EQ(Utc("15,45 0 12 * * *", "2026-03-01 12:00:15", 2), "03-01 12:00:45, 03-02 12:00:15");
  EXPECT_EQ(Utc("0 0 9-17/4 * * *", "2026-03-01 10:00:00", 3),
            "03-01 13:00:00, 03-01 17:00:00, 03-02 09:00:00");
  EXPECT_EQ(Utc("50/4 0 0 1 * *", "2026-03-01 00:00:50", 3),
            "03-01 00:00:54, 03-01 00:00:58, 04-01 00:00:50");
  EXPECT_EQ(Utc("59 59 23 31 12 *", "2026-03-01 00:00:00", 1), "12-31 23:59:59");
}

TEST(CronScheduleTest, KnowsNamesInAnyCaseAndSundayTwice) {
  EXPECT_EQ(Utc("0 0 8 * * MON-fri", "2026-03-06 08:00:00", 2), "03-09 08:00:00, 03-10 08:00:00");
  EXPECT_EQ(Utc("0 0 0 1 jan,JUL ?", "2026-03-01 00:00:00", 2), "07-01 00:00:00, 01-01 00:00:00");
  EXPECT_EQ(Utc("0 0 0 * * SUN", "2026-03-02 00:00:00", 1), "03-08 00:00:00");
  EXPECT_EQ(Utc("0 0 0 * * 0", "2026-03-02 00:00:00", 1), "03-08 00:00:00");
  EXPECT_EQ(Utc("0 0 0 * * 7", "2026-03-02 00:00:00", 1), "03-08 00:00:00");
  EXPECT_EQ(Utc("0 0 0 * * FRI-SUN", "2026-03-02 00:00:00", 3),
            "03-06 00:00:00, 03-07 00:00:00, 03-08 00:00:00");
}

TEST(CronScheduleTest, ADayThatFitsOneOfTwoDayFieldsFits) {
  EXPECT_EQ(Utc("0 0 0 13 * FRI", "2026-03-01 00:00:00", 4),
            "03-06 00:00:00, 03-13 00:00:00, 03-20 00:00:00, 03-27 00:00:00");
  EXPECT_EQ(Utc("0 0 0 30 2 MON", "2026-02-01 00:00:00", 1), "02-02 00:00:00");
}

TEST(CronScheduleTest, FindsTheNextLeapDay) {
  EXPECT_EQ(Utc("0 0 0 29 2 *", "2026-03-01 00:00:00", 1), "02-29 00:00:00");
  const auto leap = CronSchedule::Parse("0 0 0 29 2 *").value();
  EXPECT_EQ(leap.Next(At("2096-03-01 00:00:00")), At("2104-02-29 00:00:00"));
}

TEST(CronScheduleTest, IsAlwaysAfterTheInstantGiven) {
  const auto each = CronSchedule::Parse("* * * * * *").value();

  EXPECT_EQ(each.Next(At("2026-03-01 00:00:00")), At("2026-03-01 00:00:01"));
  EXPECT_EQ(each.Next(At("2026-03-01 00:00:00") + std::chrono::nanoseconds(1)),
            At("2026-03-01 00:00:01"));
  EXPECT_EQ(each.Next(At("1969-12-31 23:59:58") + std::chrono::milliseconds(500)),
            At("1969-12-31 23:59:59"));
}

TEST(CronScheduleTest, IsLocalToItsZone) {
  EXPECT_EQ(Next("0 30 8 * * *", "Europe/Berlin", "2026-01-10 00:00:00", 1), "01-10 07:30:00");
  EXPECT_EQ(Next("0 30 8 * * *", "Europe/Berlin", "2026-07-10 00:00:00", 1), "07-10 06:30:00");
  EXPECT_EQ(Next("0 30 8 * * *", "Asia/Kolkata", "2026-07-10 00:00:00", 1), "07-10 03:00:00");
}

// Berlin, 29 March 2026: 02:00 becomes 03:00, at 01:00 UTC.
TEST(CronScheduleTest, ALocalTimeThatDoesNotExistFiresAtTheFirstInstantAfterTheGap) {
  EXPECT_EQ(Next("0 30 2 * * *", "Europe/Berlin", "2026-03-28 00:00:00", 3),
            "03-28 01:30:00, 03-29 01:00:00, 03-30 00:30:00");
  EXPECT_EQ(Next("0 0,15,30 2,3 * * *", "Europe/Berlin", "2026-03-28 23:00:00", 3),
            "03-29 01:00:00, 03-29 01:15:00, 03-29 01:30:00");
}

// Berlin, 25 October 2026: 03:00 becomes 02:00, at 01:00 UTC.
TEST(CronScheduleTest, ALocalTimeThatOccursTwiceFiresOnce) {
  EXPECT_EQ(Next("0 30 2 * * *", "Europe/Berlin", "2026-10-24 12:00:00", 2),
            "10-25 00:30:00, 10-26 01:30:00");
  EXPECT_EQ(Next("0 0/20 2 * * *", "Europe/Berlin", "2026-10-25 00:30:00", 2),
            "10-25 00:40:00, 10-26 01:00:00");
  EXPECT_EQ(Next("0 30 2 * * *", "Europe/Berlin", "2026-10-25 01:10:00", 1), "10-26 01:30:00");
}

TEST(CronScheduleTest, AScheduleOfEveryHourFollowsTheClockThroughBoth) {
  EXPECT_EQ(Next("0 30 * * * *", "Europe/Berlin", "2026-03-29 00:00:00", 3),
            "03-29 00:30:00, 03-29 01:30:00, 03-29 02:30:00");
  EXPECT_EQ(Next("0 30 * * * *", "Europe/Berlin", "2026-10-25 00:00:00", 3),
            "10-25 00:30:00, 10-25 01:30:00, 10-25 02:30:00");
  EXPECT_EQ(Next("0 30 * 25 10 *", "Europe/Berlin", "2026-10-25 00:29:00", 2),
            "10-25 00:30:00, 10-25 01:30:00");
  EXPECT_EQ(Next("0 0 * * * *", "Europe/Berlin", "2026-03-29 00:30:00", 2),
            "03-29 01:00:00, 03-29 02:00:00");
}

TEST(CronScheduleTest, PointsAtTheFieldThatIsWrong) {
  EXPECT_EQ(Error("0 61 * * * *"),
            "cron \"0 61 * * * *\": field 2 (minute) \"61\": 0 to 59, as *, a, a-b, a/n or a list");
  EXPECT_EQ(
      Error("0 0 0 * FOO *"),
      "cron \"0 0 0 * FOO *\": field 5 (month) \"FOO\": 1 to 12 or a three-letter name, as *, "
      "a, a-b, a/n or a list");
  EXPECT_EQ(Error("* * * * *"),
            "cron \"* * * * *\": 5 fields instead of six: second minute hour day-of-month month "
            "day-of-week");
  for (const char* wrong : {"60 * * * * *",
                            "* * 24 * * *",
                            "* * * 0 * *",
                            "* * * 32 * *",
                            "* * * * 13 *",
                            "* * * * * 8",
                            "5-1 * * * * *",
                            "*/0 * * * * *",
                            "1- * * * * *",
                            "-1 * * * * *",
                            "1,,2 * * * * *",
                            "? * * * * *",
                            "* * * L * *",
                            "* * * * * 5#2",
                            "* * * 15W * *",
                            "1/2/3 * * * * *",
                            "* * * * JANUARY *",
                            "a * * * * *",
                            "99999999999 * * * * *",
                            "",
                            "@daily"}) {
    Error(wrong);
  }
}

TEST(CronScheduleTest, RefusesWhatWouldNeverHappen) {
  EXPECT_EQ(
      Error("0 0 0 31 2 *"),
      "cron \"0 0 0 31 2 *\": no month of field 5 (month) has a day of field 4 (day of month): "
      "it would never happen");
  Error("0 0 0 31 4,6,9,11 ?");
  EXPECT_TRUE(CronSchedule::Parse("0 0 0 31 2,3 *").ok());
  EXPECT_TRUE(CronSchedule::Parse("0 0 0 29 2 *").ok());
}

TEST(CronScheduleTest, RefusesAZoneThatDoesNotExist) {
  EXPECT_EQ(Error("* * * * * *", "Mars/Olympus"),
            "cron \"* * * * * *\": there is no time zone \"Mars/Olympus\"");
}

TEST(CronScheduleTest, EndsWithTheTimeThatTheClockCanHold) {
  const auto yearly = CronSchedule::Parse("0 0 0 1 1 *").value();

  EXPECT_EQ(yearly.Next(At("2260-06-01 00:00:00")), WallTime::max());
}

}  // namespace
}  // namespace quern
