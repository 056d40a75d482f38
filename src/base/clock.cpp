#include "base/clock.h"

namespace terrapin {
namespace {

class SystemClock final : public Clock {
 public:
  Timestamp now() const override {
    return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
  }
};

// The number in text[at, at + digits); -1 if a character is no digit.
int number_at(std::string_view text, std::size_t at, std::size_t digits) {
  if (at + digits > text.size()) return -1;
  int value = 0;
  for (std::size_t i = at; i < at + digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

}  // namespace

const Clock& system_clock() {
  static const SystemClock clock;
  return clock;
}

std::string iso_text(Timestamp time, int fraction_digits) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  std::string text = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                                 static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                                 clock.hours().count(), clock.minutes().count(), clock.seconds().count());
  if (fraction_digits == 3) text += fmt::format(".{:03}", clock.subseconds().count() / 1000);
  if (fraction_digits == 6) text += fmt::format(".{:06}", clock.subseconds().count());
  return text;
}

Result<Timestamp> parse_iso_text(std::string_view text) {
  const auto refuse = [&] {
    return fail(ErrorCode::kInvalidArgument, "'{}' is not a time of the form 2022-02-10T17:41:04.801793",
                text);
  };
  std::string_view rest = text;
  if (!rest.empty() && rest.back() == 'Z') rest.remove_suffix(1);
  if (rest.size() < 19 || rest[4] != '-' || rest[7] != '-' || rest[10] != 'T' || rest[13] != ':' ||
      rest[16] != ':')
    return refuse();
  const int year = number_at(rest, 0, 4), month = number_at(rest, 5, 2), day = number_at(rest, 8, 2);
  const int hour = number_at(rest, 11, 2), minute = number_at(rest, 14, 2), second = number_at(rest, 17, 2);
  if (year < 0 || month < 0 || day < 0 || hour < 0 || minute < 0 || second < 0 || hour > 23 || minute > 59 ||
      second > 59)
    return refuse();
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return refuse();
  int microseconds = 0;
  rest.remove_prefix(19);
  if (!rest.empty()) {
    if (rest[0] != '.' || rest.size() < 2 || rest.size() > 7) return refuse();
    microseconds = number_at(rest, 1, rest.size() - 1);
    if (microseconds < 0) return refuse();
    for (std::size_t digits = rest.size() - 1; digits < 6; ++digits) microseconds *= 10;
  }
  return Timestamp(std::chrono::sys_days(date)) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second) + std::chrono::microseconds(microseconds);
}

}  // namespace terrapin
