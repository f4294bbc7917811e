#include "quern/runtime/cron.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>
#include <absl/time/civil_time.h>
#include <absl/time/time.h>

namespace quern {
namespace {

using absl::CivilDay;
using absl::CivilSecond;

enum FieldIndex { kSecond, kMinute, kHour, kDay, kMonth, kWeekday, kFieldCount };

struct FieldRule {
  const char* name;
  int min;
  int max;
  std::string_view names;  // three letters each, the first is `min`
};
constexpr FieldRule kRules[kFieldCount] = {
    {"second", 0, 59, ""},
    {"minute", 0, 59, ""},
    {"hour", 0, 23, ""},
    {"day of month", 1, 31, ""},
    {"month", 1, 12, "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC"},
    {"day of week", 0, 7, "SUNMONTUEWEDTHUFRISAT"},
};
constexpr int kDaysAtMost[13] = {0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
constexpr int kLastYear = 2260;  // what 63 bits of nanoseconds hold

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

char Upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::optional<int> ParseNumber(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

// A number or a name, within the field's bounds.
std::optional<int> ParseValue(const FieldRule& rule, std::string_view text) {
  if (text.size() == 3) {
    const char upper[3] = {Upper(text[0]), Upper(text[1]), Upper(text[2])};
    for (size_t at = 0; at < rule.names.size(); at += 3) {
      if (rule.names.substr(at, 3) == std::string_view(upper, 3)) {
        return rule.min + static_cast<int>(at / 3);
      }
    }
  }
  const std::optional<int> value = ParseNumber(text);
  if (!value.has_value() || *value < rule.min || *value > rule.max) return std::nullopt;
  return value;
}

// The bits of one list item; nullopt: nonsense.
std::optional<uint64_t> ParseItem(const FieldRule& rule, std::string_view item) {
  int step = 1;
  const size_t slash = item.find('/');
  if (slash != std::string_view::npos) {
    const std::optional<int> parsed = ParseNumber(item.substr(slash + 1));
    if (!parsed.has_value() || *parsed < 1) return std::nullopt;
    step = *parsed;
    item = item.substr(0, slash);
  }
  std::optional<int> first = rule.min;
  std::optional<int> last = rule.max;
  if (item != "*") {
    const size_t dash = item.find('-');
    first = ParseValue(rule, item.substr(0, dash));
    if (dash != std::string_view::npos) {
      last = ParseValue(rule, item.substr(dash + 1));
      if (rule.max == 7 && last == 0) last = 7;  // FRI-SUN
    } else if (slash == std::string_view::npos) {
      last = first;
    }
  }
  if (!first.has_value() || !last.has_value() || *first > *last) return std::nullopt;
  uint64_t bits = 0;
  for (int value = *first; value <= *last; value += step) bits |= uint64_t{1} << value;
  return bits;
}

StatusOr<uint64_t> ParseField(std::string_view expression, int index, std::string_view field) {
  const FieldRule& rule = kRules[index];
  uint64_t bits = 0;
  if ((index == kDay || index == kWeekday) && field == "?") field = "*";
  for (std::string_view item : Split(field, ',')) {
    const std::optional<uint64_t> parsed = ParseItem(rule, item);
    if (!parsed.has_value()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "cron \"", View(expression), "\": field ", index + 1, " (", rule.name, ") \"",
          View(field), "\": ", rule.min, " to ", rule.max,
          rule.names.empty() ? "" : " or a three-letter name", ", as *, a, a-b, a/n or a list"));
    }
    bits |= *parsed;
  }
  if (index == kWeekday && (bits >> 7) != 0) bits = (bits | 1) & 0x7f;
  return bits;
}

// -1: none.
int NextBit(uint64_t bits, int from) {
  if (from > 63) return -1;
  const uint64_t left = bits & (~uint64_t{0} << from);
  return left == 0 ? -1 : std::countr_zero(left);
}

WallTime ToWall(absl::Time t) { return WallTime(std::chrono::nanoseconds(absl::ToUnixNanos(t))); }

}  // namespace

struct CronSchedule::Fields {
  uint64_t bits[kFieldCount];
  bool any_day;
  bool any_weekday;
  absl::TimeZone zone;
  std::string expression;
  std::string zone_name;

  bool every_hour() const { return bits[kHour] == (uint64_t{1} << 24) - 1; }
  bool CanHappen() const;
  bool FitsDay(CivilDay day) const;
  // The first time of day at or after `at`, on its day; nullopt: none is left.
  std::optional<CivilSecond> NextInDay(CivilSecond at) const;
  // The first local time at or after `at`; nullopt: beyond kLastYear.
  std::optional<CivilSecond> NextLocal(CivilSecond at) const;
  absl::Time NextOfFixedHours(absl::Time after) const;
  absl::Time NextOfEveryHour(absl::Time after) const;
};

bool CronSchedule::Fields::CanHappen() const {
  if (!any_weekday) return true;  // some day of that name is in every month
  for (int month = NextBit(bits[kMonth], 1); month > 0; month = NextBit(bits[kMonth], month + 1)) {
    if (NextBit(bits[kDay], 1) <= kDaysAtMost[month]) return true;
  }
  return false;
}

bool CronSchedule::Fields::FitsDay(CivilDay day) const {
  // absl counts from Monday, cron from Sunday.
  const int weekday = (static_cast<int>(absl::GetWeekday(day)) + 1) % 7;
  const bool by_day = ((bits[kDay] >> day.day()) & 1) != 0;
  const bool by_weekday = ((bits[kWeekday] >> weekday) & 1) != 0;
  if (any_day) return by_weekday;
  return any_weekday ? by_day : by_day || by_weekday;
}

std::optional<CivilSecond> CronSchedule::Fields::NextInDay(CivilSecond at) const {
  const CivilDay day(at);
  int minute_from = at.minute();
  int second_from = at.second();
  for (int hour = NextBit(bits[kHour], at.hour()); hour >= 0;
       hour = NextBit(bits[kHour], hour + 1)) {
    if (hour != at.hour()) minute_from = second_from = 0;
    for (int minute = NextBit(bits[kMinute], minute_from); minute >= 0;
         minute = NextBit(bits[kMinute], minute + 1)) {
      if (minute != minute_from) second_from = 0;
      const int second = NextBit(bits[kSecond], second_from);
      if (second >= 0) {
        return CivilSecond(day.year(), day.month(), day.day(), hour, minute, second);
      }
    }
  }
  return std::nullopt;
}

std::optional<CivilSecond> CronSchedule::Fields::NextLocal(CivilSecond at) const {
  CivilDay day(at);
  while (day.year() <= kLastYear) {
    if (((bits[kMonth] >> day.month()) & 1) == 0) {
      day = CivilDay(absl::CivilMonth(day) + 1);
      continue;
    }
    if (FitsDay(day)) {
      const CivilSecond from = std::max(at, CivilSecond(day));
      if (std::optional<CivilSecond> found = NextInDay(from)) return found;
    }
    ++day;
  }
  return std::nullopt;
}

absl::Time CronSchedule::Fields::NextOfFixedHours(absl::Time after) const {
  CivilSecond local = zone.At(after).cs;
  for (;;) {
    const std::optional<CivilSecond> next = NextLocal(local + 1);
    if (!next.has_value()) return absl::InfiniteFuture();
    const absl::TimeZone::TimeInfo info = zone.At(*next);
    const absl::Time at = info.kind == absl::TimeZone::TimeInfo::SKIPPED ? info.trans : info.pre;
    if (at > after) return at;
    local = *next;
  }
}

// From one change of the offset to the next: between two of them local time runs as real time does.
absl::Time CronSchedule::Fields::NextOfEveryHour(absl::Time after) const {
  absl::Time from = after;
  bool from_counts = false;
  for (;;) {
    const CivilSecond local = zone.At(from).cs;
    const std::optional<CivilSecond> next = NextLocal(from_counts ? local : local + 1);
    if (!next.has_value()) return absl::InfiniteFuture();
    const absl::Time at = from + absl::Seconds(*next - local);
    absl::TimeZone::CivilTransition change;
    if (!zone.NextTransition(from, &change)) return at;
    const absl::Time changed = zone.At(std::min(change.from, change.to)).trans;
    if (at < changed || changed <= from) return at;
    from = changed;
    from_counts = true;
  }
}

StatusOr<CronSchedule> CronSchedule::Parse(std::string_view expression, std::string_view zone) {
  auto fields = std::make_shared<Fields>();
  fields->expression = std::string(expression);
  fields->zone_name = std::string(zone);
  std::vector<std::string_view> parts;
  for (std::string_view part : Split(expression, ' ')) {
    if (!part.empty()) parts.push_back(part);
  }
  if (parts.size() != kFieldCount) {
    return absl::InvalidArgumentError(
        absl::StrCat("cron \"", View(expression), "\": ", parts.size(),
                     " fields instead of six: second minute hour day-of-month month day-of-week"));
  }
  for (int i = 0; i < kFieldCount; ++i) {
    StatusOr<uint64_t> bits = ParseField(expression, i, parts[static_cast<size_t>(i)]);
    if (!bits.ok()) return bits.status();
    fields->bits[i] = *bits;
  }
  fields->any_day = parts[kDay] == "*" || parts[kDay] == "?";
  fields->any_weekday = parts[kWeekday] == "*" || parts[kWeekday] == "?";
  if (!fields->CanHappen()) {
    return absl::InvalidArgumentError(
        absl::StrCat("cron \"", View(expression), "\": no month of field 5 (month) has a day of ",
                     "field 4 (day of month): it would never happen"));
  }
  if (!absl::LoadTimeZone(View(zone), &fields->zone)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "cron \"", View(expression), "\": there is no time zone \"", View(zone), "\""));
  }
  return CronSchedule(std::move(fields));
}

WallTime CronSchedule::Next(WallTime after) const {
  // Local times are whole seconds: a fraction belongs to the second that it began in.
  const absl::Time from = absl::FromUnixSeconds(
      std::chrono::floor<std::chrono::seconds>(after).time_since_epoch().count());
  const absl::Time next =
      fields_->every_hour() ? fields_->NextOfEveryHour(from) : fields_->NextOfFixedHours(from);
  return next == absl::InfiniteFuture() ? WallTime::max() : ToWall(next);
}

const std::string& CronSchedule::expression() const { return fields_->expression; }
const std::string& CronSchedule::zone() const { return fields_->zone_name; }

}  // namespace quern
