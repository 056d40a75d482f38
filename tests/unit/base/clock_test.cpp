#include "base/clock.h"

#include <gtest/gtest.h>

namespace terrapin {
namespace {

using namespace std::chrono_literals;

Timestamp at(std::chrono::year_month_day date, std::chrono::microseconds time_of_day) {
  return Timestamp(std::chrono::sys_days(date)) + time_of_day;
}

TEST(Clock, PrintsTheFormOfTheWire) {
  const Timestamp time = at(std::chrono::year(2022) / 2 / 10, 17h + 41min + 4s + 801'793us);
  EXPECT_EQ(iso_text(time), "2022-02-10T17:41:04");
  EXPECT_EQ(iso_text(time, 3), "2022-02-10T17:41:04.801");
  EXPECT_EQ(iso_text(time, 6), "2022-02-10T17:41:04.801793");
  EXPECT_EQ(iso_text(from_microseconds(0), 6), "1970-01-01T00:00:00.000000");
  EXPECT_EQ(iso_text(from_microseconds(-1), 6), "1969-12-31T23:59:59.999999");
  EXPECT_EQ(iso_text(at(std::chrono::year(33) / 4 / 3, 0us)), "0033-04-03T00:00:00");
}

TEST(Clock, ReadsWhatItPrints) {
  for (const std::int64_t microseconds :
       {std::int64_t{0}, std::int64_t{1}, std::int64_t{-1}, std::int64_t{999'999},
        std::int64_t{1'644'514'864'801'793}, std::int64_t{253'402'300'799'999'999},
        std::int64_t{-62'135'596'800'000'000}}) {
    const Timestamp time = from_microseconds(microseconds);
    EXPECT_EQ(to_microseconds(time), microseconds);
    EXPECT_EQ(parse_iso_text(iso_text(time, 6)).value(), time) << microseconds;
    EXPECT_EQ(parse_iso_text(iso_text(time, 6) + "Z").value(), time);
    EXPECT_EQ(parse_iso_text(iso_text(time)).value(), std::chrono::floor<std::chrono::seconds>(time));
  }
}

TEST(Clock, ReadsFractionsOfAnyLength) {
  const Timestamp second = parse_iso_text("2022-02-10T17:41:04").value();
  EXPECT_EQ(parse_iso_text("2022-02-10T17:41:04.5").value() - second, 500ms);
  EXPECT_EQ(parse_iso_text("2022-02-10T17:41:04.05").value() - second, 50ms);
  EXPECT_EQ(parse_iso_text("2022-02-10T17:41:04.801Z").value() - second, 801ms);
  EXPECT_EQ(parse_iso_text("2022-02-10T17:41:04.000001").value() - second, 1us);
}

TEST(Clock, KnowsLeapDays) {
  EXPECT_EQ(parse_iso_text("2024-02-29T12:00:00").value(), at(std::chrono::year(2024) / 2 / 29, 12h));
  EXPECT_EQ(parse_iso_text("2024-03-01T00:00:00").value() - parse_iso_text("2024-02-28T00:00:00").value(),
            48h);
  EXPECT_TRUE(parse_iso_text("2000-02-29T00:00:00"));
  EXPECT_FALSE(parse_iso_text("2023-02-29T00:00:00"));
  EXPECT_FALSE(parse_iso_text("1900-02-29T00:00:00"));
}

TEST(Clock, RefusesOtherTexts) {
  for (const char* text : {"",
                           "Z",
                           "2022",
                           "2022-02-10",
                           "2022-02-10 17:41:04",
                           "2022-02-10T17:41",
                           "2022-02-10T17:41:04.",
                           "2022-02-10T17:41:04.1234567",
                           "2022-02-10T17:41:04,5",
                           "2022-02-10T17:41:04+01:00",
                           "2022-02-10T17:41:04ZZ",
                           "2022-13-10T17:41:04",
                           "2022-00-10T17:41:04",
                           "2022-04-31T17:41:04",
                           "2022-02-00T17:41:04",
                           "2022-02-10T24:00:00",
                           "2022-02-10T23:60:00",
                           "2022-02-10T23:59:60",
                           "2022-02-10T17:41:0x",
                           "-022-02-10T17:41:04",
                           "2022-02-10T17:41:04.12a",
                           "+2022-02-10T17:41:04",
                           " 2022-02-10T17:41:04",
                           "2022-02-10T17:41:04 ",
                           "2022-2-10T17:41:04.00"}) {
    const auto result = parse_iso_text(text);
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(result.error().message.find(std::string("'") + text + "'"), std::string::npos);
  }
}

TEST(Clock, ManualTimeMovesOnlyWhenTold) {
  ManualClock clock(from_microseconds(5));
  EXPECT_EQ(clock.now(), from_microseconds(5));
  clock.advance(2s);
  EXPECT_EQ(clock.now(), from_microseconds(2'000'005));
  clock.set(from_microseconds(7));
  EXPECT_EQ(clock.now(), from_microseconds(7));
}

TEST(Clock, TheSystemsTimeIsOfThisCentury) {
  EXPECT_GT(system_clock().now(), parse_iso_text("2024-01-01T00:00:00").value());
  EXPECT_LT(system_clock().now(), parse_iso_text("2100-01-01T00:00:00").value());
}

}  // namespace
}  // namespace terrapin
