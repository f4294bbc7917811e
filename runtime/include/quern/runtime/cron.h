// When something is to happen by the calendar of some place: six fields as in crontab, with
// seconds.
//
//   auto schedule = quern::CronSchedule::Parse("0 30 8 * * MON-FRI", "Europe/Berlin");
//   quern::WallTime next = schedule->Next(clock.WallNow());
//
//   second 0-59 | minute 0-59 | hour 0-23 | day of month 1-31 | month 1-12 | day of week 0-7
//
// A field is `*`, a number, a range `a-b`, either with a step `/n` (`a/n` is from a on), or a list
// of these with commas; `?` in the two day fields is `*`. Months and days have names (JAN, mon);
// Sunday is 0 and 7. If neither day field is `*` or `?`, a day that fits one of them fits. There is
// no L, W, # and no year.
//
// Where clocks are moved: a schedule with hours of its own fires at the first instant after the gap
// for all the local times that were left out, and once for a local time that occurs twice, the
// first time. A schedule of every hour (hour `*`) is of no hour in particular: it has nothing to
// make up for, and goes on through both passes of an hour that is repeated.
//
// An immutable value. Thread-safe.

#ifndef QUERN_RUNTIME_CRON_H_
#define QUERN_RUNTIME_CRON_H_

#include <memory>
#include <string>
#include <string_view>

#include "quern/runtime/clock.h"
#include "quern/runtime/status.h"

namespace quern {

class CronSchedule {
 public:
  // `zone`: a name of the tz database. INVALID_ARGUMENT the zone is unknown; a field is wrong, the
  // message names it; no day will ever fit (31 February). Reads the zone's file the first time.
  static StatusOr<CronSchedule> Parse(std::string_view expression, std::string_view zone = "UTC");

  // The first instant after `after`, always a whole second; WallTime::max() beyond the year 2260.
  WallTime Next(WallTime after) const;

  const std::string& expression() const;
  const std::string& zone() const;

 private:
  struct Fields;
  explicit CronSchedule(std::shared_ptr<const Fields> fields) : fields_(std::move(fields)) {}

  std::shared_ptr<const Fields> fields_;  // shared by copies, never changed
};

}  // namespace quern

#endif  // QUERN_RUNTIME_CRON_H_
