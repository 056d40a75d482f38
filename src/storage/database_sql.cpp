#include "storage/database_sql.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdint>

#include "base/utf8.h"

namespace terrapin::storage {
namespace {

enum class PieceKind { kCode, kQuoted, kComment };
struct Piece {
  PieceKind kind;
  std::string_view text;  // one byte of code, a whole quotation, or a whole comment
};

Piece piece_at(std::string_view sql, std::size_t at) {
  const std::string_view rest = sql.substr(at);
  const auto until = [&](std::size_t end, std::size_t closing) {
    return end == std::string_view::npos ? rest : rest.substr(0, end + closing);
  };
  // A doubled quote inside a quotation reads as two quotations side by side, which is as good.
  if (rest.front() == '\'' || rest.front() == '"') {
    return {PieceKind::kQuoted, until(rest.find(rest.front(), 1), 1)};
  }
  if (rest.starts_with("--")) return {PieceKind::kComment, until(rest.find('\n'), 1)};
  if (rest.starts_with("/*")) return {PieceKind::kComment, until(rest.find("*/", 2), 2)};
  return {PieceKind::kCode, rest.substr(0, 1)};
}

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}
bool is_space(char c) {
  return std::isspace(static_cast<unsigned char>(c)) != 0;
}

bool same_word(std::string_view word, std::string_view upper) {
  return std::equal(word.begin(), word.end(), upper.begin(), upper.end(), [](char a, char b) {
    return std::toupper(static_cast<unsigned char>(a)) == static_cast<unsigned char>(b);
  });
}

std::string_view without_space(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::string placeholder(Dialect dialect, char kind, int number) {
  if (kind == 'n') return "NULL";
  if (dialect == Dialect::kSqlite) return fmt::format(":p{} ", number);
  const char* const type = kind == 'i' ? "BIGINT" : kind == 'd' ? "DOUBLE PRECISION" : "TEXT";
  return fmt::format("CAST(:p{} AS {})", number, type);
}

}  // namespace

std::string value_kinds(std::span<const Value> values) {
  std::string kinds;
  kinds.reserve(values.size());
  for (const Value& value : values) kinds += "nidt"[value.index()];
  return kinds;
}

Status check_values(std::span<const Value> values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (const double* const number = std::get_if<double>(&values[i]); number && !std::isfinite(*number)) {
      return fail(ErrorCode::kInvalidArgument, "value {} of the statement is {}: a finite number is allowed",
                  i + 1, *number);
    }
    const std::string* const text = std::get_if<std::string>(&values[i]);
    if (text == nullptr) continue;
    if (text->find('\0') != std::string::npos) {
      return fail(ErrorCode::kInvalidArgument,
                  "value {} of the statement holds a zero byte: UTF-8 without one is allowed", i + 1);
    }
    if (!is_utf8(*text)) {
      return fail(ErrorCode::kInvalidArgument, "value {} of the statement is not UTF-8", i + 1);
    }
  }
  return {};
}

Result<std::string> bound_statement(Dialect dialect, std::string_view sql, std::string_view kinds) {
  std::string bound;
  bound.reserve(sql.size() + 24 * kinds.size());
  std::size_t used = 0;
  int number = 0;
  for (std::size_t at = 0; at < sql.size();) {
    const Piece piece = piece_at(sql, at);
    at += piece.text.size();
    if (piece.kind == PieceKind::kComment) {
      bound += ' ';
    } else if (piece.kind == PieceKind::kCode && piece.text == "?") {
      if (used < kinds.size()) {
        if (kinds[used] != 'n') ++number;
        bound += placeholder(dialect, kinds[used], number);
      }
      ++used;
    } else if (piece.kind == PieceKind::kCode && piece.text == ":") {
      if (sql.substr(at, 1) != ":") {
        return fail(ErrorCode::kInternal, "':' outside quotes in a statement; parameters are '?': {}",
                    shortened(sql));
      }
      bound += "::";
      ++at;
    } else if (piece.kind == PieceKind::kCode && piece.text == ";") {
      if (!split_statements(sql.substr(at)).empty()) {
        return fail(ErrorCode::kInternal, "several statements where one was expected: {}", shortened(sql));
      }
      break;
    } else {
      bound += piece.text;
    }
  }
  if (used != kinds.size()) {
    return fail(ErrorCode::kInternal, "{} values for the {} parameters of the statement {}", kinds.size(),
                used, shortened(sql));
  }
  return bound;
}

std::vector<std::string> split_statements(std::string_view script) {
  std::vector<std::string> statements;
  std::string current;
  const auto finish = [&] {
    if (const std::string_view statement = without_space(current); !statement.empty()) {
      statements.emplace_back(statement);
    }
    current.clear();
  };
  for (std::size_t at = 0; at < script.size();) {
    const Piece piece = piece_at(script, at);
    at += piece.text.size();
    if (piece.kind == PieceKind::kComment) {
      current += ' ';
    } else if (piece.kind == PieceKind::kCode && piece.text == ";") {
      finish();
    } else {
      current += piece.text;
    }
  }
  finish();
  return statements;
}

std::string schema_statement(Dialect dialect, std::string_view statement) {
  // The first two words decide.
  std::size_t end = 0;
  const auto next_word = [&] {
    while (end < statement.size() && is_space(statement[end])) ++end;
    const std::size_t begin = end;
    while (end < statement.size() && is_word(statement[end])) ++end;
    return statement.substr(begin, end - begin);
  };
  const std::string_view verb = next_word(), what = next_word();
  const bool of_table = same_word(what, "TABLE") && (same_word(verb, "CREATE") || same_word(verb, "ALTER"));
  if (dialect == Dialect::kSqlite || !of_table) return std::string(statement);

  std::string result, word;
  const auto finish_word = [&] {
    result += word;
    if (same_word(word, "TEXT")) result += " COLLATE \"C\"";
    word.clear();
  };
  for (std::size_t at = 0; at < statement.size();) {
    const Piece piece = piece_at(statement, at);
    at += piece.text.size();
    if (piece.kind == PieceKind::kCode && is_word(piece.text.front())) {
      word += piece.text;
    } else {
      finish_word();
      result += piece.text;
    }
  }
  finish_word();
  return result;
}

std::string shortened(std::string_view sql) {
  std::string line;
  bool space = false;
  for (const char c : without_space(sql)) {
    if (is_space(c)) {
      space = true;
      continue;
    }
    if (space) line += ' ';
    space = false;
    line += c;
    if (line.size() >= 200) return line + "...";
  }
  return line;
}

}  // namespace terrapin::storage
