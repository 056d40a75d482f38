#include "storage/database_sql.h"

#include <gtest/gtest.h>

#include <limits>

namespace terrapin::storage {
namespace {

std::string bound(Dialect dialect, std::string_view sql, std::string_view kinds) {
  const auto result = bound_statement(dialect, sql, kinds);
  return result ? *result : "error: " + result.error().message;
}

TEST(DatabaseSql, ParametersBecomePlaceholders) {
  EXPECT_EQ(bound(Dialect::kSqlite, "SELECT ?,? WHERE a=?", "itd"), "SELECT :p1 ,:p2  WHERE a=:p3 ");
  EXPECT_EQ(bound(Dialect::kPostgres, "VALUES (?, ?, ?)", "itd"),
            "VALUES (CAST(:p1 AS BIGINT), CAST(:p2 AS TEXT), CAST(:p3 AS DOUBLE PRECISION))");
  EXPECT_EQ(bound(Dialect::kPostgres, "VALUES (?, ?, ?)", "nin"), "VALUES (NULL, CAST(:p1 AS BIGINT), NULL)");
}

TEST(DatabaseSql, QuotesAndCommentsHideParameters) {
  EXPECT_EQ(bound(Dialect::kSqlite, "a '?''?' \"?\" ? -- ?'\n/* ?\n' */b", "i"), "a '?''?' \"?\" :p1    b");
  EXPECT_EQ(bound(Dialect::kSqlite, "a 'never closed ?", ""), "a 'never closed ?");
  EXPECT_EQ(bound(Dialect::kSqlite, "a /* never closed ?", ""), "a  ");
  EXPECT_EQ(bound(Dialect::kSqlite, "a -- at the end ?", ""), "a  ");
}

TEST(DatabaseSql, WhatWouldBeMisreadIsRefused) {
  for (const auto& [sql, kinds] : {std::pair("?", ""), std::pair("?", "ii"), std::pair("a = :b", ""),
                                   std::pair("DELETE FROM a; DELETE FROM b", "")}) {
    const auto result = bound_statement(Dialect::kSqlite, sql, kinds);
    ASSERT_FALSE(result) << sql;
    EXPECT_EQ(result.error().code, ErrorCode::kInternal);
  }
  EXPECT_EQ(bound(Dialect::kPostgres, "a::text ; -- the end", ""), "a::text ");
}

TEST(DatabaseSql, ScriptsAreSplitAtSemicolons) {
  EXPECT_EQ(split_statements("a;\n b ';' \"c;\" -- d; e\n; /* ; */ ;\n\n f"),
            (std::vector<std::string>{"a", "b ';' \"c;\"", "f"}));
  EXPECT_TRUE(split_statements(" \n-- nothing\n").empty());
}

TEST(DatabaseSql, TextColumnsOfPostgresAreOrderedByBytes) {
  const auto defined = [](std::string_view sql) { return schema_statement(Dialect::kPostgres, sql); };
  EXPECT_EQ(defined("CREATE TABLE text_a (a TEXT PRIMARY KEY, texts BIGINT, b text DEFAULT 'TEXT')"),
            "CREATE TABLE text_a (a TEXT COLLATE \"C\" PRIMARY KEY, texts BIGINT, b text COLLATE \"C\" "
            "DEFAULT 'TEXT')");
  EXPECT_EQ(defined("alter table a ADD b TEXT"), "alter table a ADD b TEXT COLLATE \"C\"");
  EXPECT_EQ(defined("UPDATE a SET b = CAST(c AS TEXT)"), "UPDATE a SET b = CAST(c AS TEXT)");
  EXPECT_EQ(schema_statement(Dialect::kSqlite, "CREATE TABLE a (b TEXT)"), "CREATE TABLE a (b TEXT)");
}

TEST(DatabaseSql, TextIsUtf8WithoutZeroBytes) {
  const auto good = [](std::string text) {
    const Value value = std::move(text);
    return check_values({&value, 1}).has_value();
  };
  for (const char* const text : {"", "abc", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf",
                                 "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(good(text));
  }
  for (const char* const text :
       {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x41", "\xe0\x9f\xbf", "\xe2\x82",
        "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf0\x90\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff"}) {
    EXPECT_FALSE(good(text));
    EXPECT_FALSE(good(fmt::format("a{}b", text)));
  }
  EXPECT_FALSE(good(std::string(1, '\0')));
}

TEST(DatabaseSql, NumbersAreReadWhole) {
  EXPECT_EQ(detail::to_integer("-9223372036854775808").value(), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(detail::to_number("1e+20").value(), 1e20);
  for (const char* const text : {"", "1.5", "12x", " 1", "9223372036854775808", "t"}) {
    EXPECT_FALSE(detail::to_integer(text)) << text;
  }
  for (const char* const text : {"", "1.5x", "one"}) EXPECT_FALSE(detail::to_number(text)) << text;
}

TEST(DatabaseSql, StatementsInMessagesStayShort) {
  EXPECT_EQ(shortened("  SELECT\n  1  "), "SELECT 1");
  EXPECT_EQ(shortened(std::string(1000, 'x')).size(), 203U);
}

}  // namespace
}  // namespace terrapin::storage
