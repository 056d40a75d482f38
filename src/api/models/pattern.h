// Java's regular expressions, as far as AWS's service models use them, matched in time linear in the text: a
// set of states is followed through it (Thompson 1968), nothing is ever tried twice.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace terrapin::api {

// Code points of UTF-8 text; a byte that belongs to none counts as U+FFFD.
std::u32string code_points(std::string_view utf8);

// Constant after construction; any thread.
class Pattern {
 public:
  // Served: literals and escapes, classes with ranges, negation, \d \w \s \p{L} \p{Alnum} and the like, '.',
  // groups, '|', ? * + {m,n}, ^ and $, lookahead, and lookbehind of one character. kUnsupported names what
  // else is asked for, kInvalidArgument what cannot be read.
  static Result<Pattern> compile(std::string_view text);

  // The whole text, as java.util.regex.Matcher.matches().
  bool matches(std::u32string_view text) const;
  bool matches(std::string_view utf8) const { return matches(code_points(utf8)); }
  std::size_t size() const { return program_.size(); }  // instructions

 private:
  struct Range {
    char32_t first = 0, last = 0;
  };
  struct CharacterSet {
    bool ascii[128] = {};
    std::vector<Range> ranges;  // ascending, without overlap
    bool contains(char32_t c) const;
  };
  enum class Code : std::uint8_t { kSet, kSplit, kJump, kStart, kEnd, kAhead, kNotAhead, kNotBehind, kMatch };
  struct Instruction {
    Code code = Code::kMatch;
    int set = 0;    // kSet, kNotBehind
    int next = 0;   // where to go on; kMatch has none
    int other = 0;  // kSplit: the second way; kAhead, kNotAhead: first instruction of the inner pattern
  };
  class Compiler;
  class Run;

  std::vector<Instruction> program_;
  std::vector<CharacterSet> sets_;
};

}  // namespace terrapin::api
