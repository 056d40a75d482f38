#include "api/models/pattern.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>

#include "api/models/unicode_categories.h"

namespace terrapin::api {
namespace {

constexpr char32_t kLastCodePoint = 0x10ffff;
constexpr std::size_t kMostInstructions = 50'000;
constexpr int kMostNesting = 50;

}  // namespace

std::u32string code_points(std::string_view utf8) {
  std::u32string result;
  result.reserve(utf8.size());
  for (std::size_t i = 0; i < utf8.size();) {
    const auto lead = static_cast<unsigned char>(utf8[i]);
    int more = -1;
    char32_t c = 0;
    if (lead < 0x80) {
      more = 0;
      c = lead;
    } else if (lead >= 0xc2 && lead < 0xe0) {
      more = 1;
      c = lead & 0x1fU;
    } else if (lead >= 0xe0 && lead < 0xf0) {
      more = 2;
      c = lead & 0x0fU;
    } else if (lead >= 0xf0 && lead < 0xf5) {
      more = 3;
      c = lead & 0x07U;
    }
    bool whole = more >= 0 && i + static_cast<std::size_t>(more) < utf8.size();
    for (int k = 1; whole && k <= more; ++k) {
      const auto byte = static_cast<unsigned char>(utf8[i + static_cast<std::size_t>(k)]);
      whole = (byte & 0xc0U) == 0x80U;
      c = (c << 6U) | (byte & 0x3fU);
    }
    result.push_back(whole ? c : U'\ufffd');
    i += whole ? static_cast<std::size_t>(more) + 1 : 1;
  }
  return result;
}

bool Pattern::CharacterSet::contains(char32_t c) const {
  if (c < 128) return ascii[c];
  const auto after = std::upper_bound(ranges.begin(), ranges.end(), c,
                                      [](char32_t value, const Range& range) { return value < range.first; });
  return after != ranges.begin() && c <= std::prev(after)->last;
}

// ---- from text to program ----

class Pattern::Compiler {
 public:
  explicit Compiler(std::string_view text) : source_(text), text_(code_points(text)) {}

  Result<Pattern> compile() {
    TERRAPIN_TRY(const NodePtr tree, alternatives(0));
    if (at_ < text_.size()) return broken("an unmatched ')'");
    emit(*tree);
    add({Code::kMatch, 0, 0, 0});
    if (pattern_.program_.size() > kMostInstructions) return too_large();
    return std::move(pattern_);
  }

 private:
  enum class Kind { kEmpty, kSet, kStart, kEnd, kSequence, kChoice, kRepeat, kAhead, kNotAhead, kNotBehind };
  struct Node;
  using NodePtr = std::shared_ptr<Node>;
  struct Node {
    Kind kind = Kind::kEmpty;
    int set = 0;
    std::vector<NodePtr> parts;
    int least = 0, most = 0;  // kRepeat; most < 0: without bound
  };

  tl::unexpected<Error> broken(const std::string& what) const {
    return fail(ErrorCode::kInvalidArgument, "pattern '{}': {} at character {}", source_, what, at_);
  }
  tl::unexpected<Error> unsupported(const std::string& what) const {
    return fail(ErrorCode::kUnsupported, "pattern '{}': {} at character {} is not served", source_, what,
                at_);
  }
  tl::unexpected<Error> too_large() const {
    return fail(ErrorCode::kUnsupported, "pattern '{}' needs more than {} states", source_,
                kMostInstructions);
  }
  bool more() const { return at_ < text_.size(); }
  char32_t peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : U'\0';
  }
  bool take(std::u32string_view expected) {
    if (text_.compare(at_, expected.size(), expected) != 0) return false;
    at_ += expected.size();
    return true;
  }
  static NodePtr node(Kind kind, std::vector<NodePtr> parts = {}) {
    auto result = std::make_shared<Node>();
    result->kind = kind;
    result->parts = std::move(parts);
    return result;
  }

  Result<NodePtr> alternatives(int depth) {
    if (depth > kMostNesting) return unsupported("deeper nesting");
    std::vector<NodePtr> ways;
    do {
      std::vector<NodePtr> parts;
      while (more() && peek() != U'|' && peek() != U')') {
        TERRAPIN_TRY(NodePtr part, repeated(depth));
        parts.push_back(std::move(part));
      }
      ways.push_back(node(Kind::kSequence, std::move(parts)));
    } while (take(U"|"));
    return ways.size() == 1 ? ways.front() : node(Kind::kChoice, std::move(ways));
  }

  Result<NodePtr> repeated(int depth) {
    TERRAPIN_TRY(NodePtr result, one(depth));
    for (;;) {
      int least = 0;
      int most = -1;
      if (take(U"?")) {
        most = 1;
      } else if (take(U"*")) {
      } else if (take(U"+")) {
        least = 1;
      } else if (more() && peek() == U'{') {
        ++at_;
        TERRAPIN_TRY(least, number());
        most = least;
        if (take(U",")) {
          most = -1;
          if (peek() != U'}') {
            TERRAPIN_TRY(most, number());
            if (most < least) return broken("a repetition whose end is below its start");
          }
        }
        if (!take(U"}")) return broken("'{' without its '}'");
      } else {
        return result;
      }
      if (peek() == U'+') return unsupported("a possessive repetition");
      take(U"?");  // lazy: the same texts match
      NodePtr repeat = node(Kind::kRepeat, {std::move(result)});
      repeat->least = least;
      repeat->most = most;
      result = std::move(repeat);
    }
  }

  Result<int> number() {
    int value = 0;
    bool any = false;
    while (more() && peek() >= U'0' && peek() <= U'9') {
      value = value * 10 + static_cast<int>(peek() - U'0');
      any = true;
      ++at_;
      if (value > 10'000) return unsupported("a repetition above 10,000");
    }
    if (!any) return broken("a number was expected");
    return value;
  }

  Result<NodePtr> one(int depth) {
    if (take(U"(")) {
      Kind kind = Kind::kEmpty;
      if (take(U"?!")) {
        kind = Kind::kNotAhead;
      } else if (take(U"?=")) {
        kind = Kind::kAhead;
      } else if (take(U"?<!")) {
        kind = Kind::kNotBehind;
      } else if (!take(U"?:") && peek() == U'?') {
        return unsupported("this kind of group");
      }
      TERRAPIN_TRY(NodePtr inner, alternatives(depth + 1));
      if (!take(U")")) return broken("'(' without its ')'");
      if (kind == Kind::kEmpty) return inner;
      NodePtr result = node(kind);
      if (kind == Kind::kNotBehind) {
        if (inner->kind != Kind::kSequence || inner->parts.size() != 1 ||
            inner->parts.front()->kind != Kind::kSet) {
          return unsupported("lookbehind of other than one character");
        }
        result->set = inner->parts.front()->set;
      } else {
        result->parts.push_back(std::move(inner));
      }
      return result;
    }
    if (take(U"^")) return node(Kind::kStart);
    if (take(U"$")) return node(Kind::kEnd);
    std::vector<Range> ranges;
    if (take(U".")) {
      ranges = without({{U'\n', U'\n'}, {U'\r', U'\r'}, {0x85, 0x85}, {0x2028, 0x2029}});
    } else if (take(U"[")) {
      TERRAPIN_TRY(ranges, character_class());
    } else if (take(U"\\")) {
      TERRAPIN_TRY(const Escape escape, escaped());
      ranges = escape.ranges;
    } else if (peek() == U'*' || peek() == U'+' || peek() == U'?' || peek() == U'{') {
      return broken("a repetition of nothing");
    } else {
      ranges = {{peek(), peek()}};
      ++at_;
    }
    NodePtr result = node(Kind::kSet);
    result->set = add_set(std::move(ranges));
    return result;
  }

  struct Escape {
    std::vector<Range> ranges;
    bool single = false;  // stands for one character, so a range may begin or end with it
  };

  // After the backslash.
  Result<Escape> escaped() {
    if (!more()) return broken("a backslash at the end");
    const char32_t c = peek();
    ++at_;
    const auto character = [](char32_t value) { return Escape{{{value, value}}, true}; };
    switch (c) {
      case U'd':
        return Escape{{{U'0', U'9'}}, false};
      case U'w':
        return Escape{{{U'0', U'9'}, {U'A', U'Z'}, {U'_', U'_'}, {U'a', U'z'}}, false};
      case U's':
        return Escape{{{U'\t', U'\r'}, {U' ', U' '}}, false};
      case U'D':
        return Escape{without({{U'0', U'9'}}), false};
      case U'W':
        return Escape{without({{U'0', U'9'}, {U'A', U'Z'}, {U'_', U'_'}, {U'a', U'z'}}), false};
      case U'S':
        return Escape{without({{U'\t', U'\r'}, {U' ', U' '}}), false};
      case U't':
        return character(U'\t');
      case U'n':
        return character(U'\n');
      case U'r':
        return character(U'\r');
      case U'f':
        return character(U'\f');
      case U'u': {
        char32_t value = 0;
        for (int k = 0; k < 4; ++k, ++at_) {
          const char32_t digit = peek();
          if (digit >= U'0' && digit <= U'9') {
            value = value * 16 + (digit - U'0');
          } else if (digit >= U'a' && digit <= U'f') {
            value = value * 16 + (digit - U'a' + 10);
          } else if (digit >= U'A' && digit <= U'F') {
            value = value * 16 + (digit - U'A' + 10);
          } else {
            return broken("\\u without four hexadecimal digits");
          }
        }
        return character(value);
      }
      case U'p':
      case U'P': {
        if (!take(U"{")) return unsupported("\\p without braces");
        std::string name;
        while (more() && peek() != U'}' && peek() < 128) {
          name.push_back(static_cast<char>(peek()));
          ++at_;
        }
        if (!take(U"}")) return broken("\\p{ without its '}'");
        std::vector<Range> ranges;
        if (name == "Alnum") {
          ranges = {{U'0', U'9'}, {U'A', U'Z'}, {U'a', U'z'}};
        } else if (name == "Alpha") {
          ranges = {{U'A', U'Z'}, {U'a', U'z'}};
        } else if (name == "Digit") {
          ranges = {{U'0', U'9'}};
        } else if (name == "ASCII") {
          ranges = {{0, 127}};
        } else if (name.size() == 1 && std::string_view("LMNPSZ").find(name) != std::string_view::npos) {
          for (const CategoryRun& run : unicode_categories()) {
            if (run.category == name.front()) ranges.push_back({run.first, run.last});
          }
        } else {
          return unsupported("\\p{" + name + "}");
        }
        return Escape{c == U'p' ? ranges : without(std::move(ranges)), false};
      }
      default:
        if ((c >= U'a' && c <= U'z') || (c >= U'A' && c <= U'Z') || (c >= U'0' && c <= U'9')) {
          return unsupported(std::string("\\") + static_cast<char>(c));
        }
        return character(c);
    }
  }

  // After the '['.
  Result<std::vector<Range>> character_class() {
    const bool negated = take(U"^");
    std::vector<Range> ranges;
    bool first = true;
    for (;; first = false) {
      if (!more()) return broken("'[' without its ']'");
      if (!first && take(U"]")) break;
      if (peek() == U'[' || (peek() == U'&' && peek(1) == U'&')) return unsupported("a class within a class");
      Escape from;
      if (take(U"\\")) {
        TERRAPIN_TRY(from, escaped());
      } else {
        from = {{{peek(), peek()}}, true};
        ++at_;
      }
      // A '-' that something other than the end follows makes a range.
      if (from.single && peek() == U'-' && peek(1) != U']' && peek(1) != U'[' && at_ + 1 < text_.size()) {
        ++at_;
        Escape to;
        if (take(U"\\")) {
          TERRAPIN_TRY(to, escaped());
        } else {
          to = {{{peek(), peek()}}, true};
          ++at_;
        }
        if (!to.single) return unsupported("a range that ends in a class");
        if (to.ranges.front().first < from.ranges.front().first) return broken("a range that runs backwards");
        ranges.push_back({from.ranges.front().first, to.ranges.front().first});
      } else {
        ranges.insert(ranges.end(), from.ranges.begin(), from.ranges.end());
      }
    }
    return negated ? without(std::move(ranges)) : ranges;
  }

  static std::vector<Range> merged(std::vector<Range> ranges) {
    std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) { return a.first < b.first; });
    std::vector<Range> result;
    for (const Range& range : ranges) {
      if (!result.empty() && range.first <= result.back().last + 1) {
        result.back().last = std::max(result.back().last, range.last);
      } else {
        result.push_back(range);
      }
    }
    return result;
  }
  static std::vector<Range> without(std::vector<Range> ranges) {
    std::vector<Range> result;
    char32_t next = 0;
    for (const Range& range : merged(std::move(ranges))) {
      if (range.first > next) result.push_back({next, range.first - 1});
      next = range.last + 1;
    }
    if (next <= kLastCodePoint) result.push_back({next, kLastCodePoint});
    return result;
  }
  int add_set(std::vector<Range> ranges) {
    CharacterSet set;
    set.ranges = merged(std::move(ranges));
    for (const Range& range : set.ranges) {
      for (char32_t c = range.first; c <= range.last && c < 128; ++c) set.ascii[c] = true;
    }
    pattern_.sets_.push_back(std::move(set));
    return static_cast<int>(pattern_.sets_.size()) - 1;
  }

  int add(Instruction instruction) {
    pattern_.program_.push_back(instruction);
    return static_cast<int>(pattern_.program_.size()) - 1;
  }
  int here() const { return static_cast<int>(pattern_.program_.size()); }
  bool full() const { return pattern_.program_.size() > kMostInstructions; }

  // Appends the node's instructions, which run on into whatever is appended next.
  void emit(const Node& tree) {  // NOLINT(misc-no-recursion): bounded by kMostNesting
    const int start = here();
    if (full()) return;
    auto& program = pattern_.program_;
    const auto index = [](int at) { return static_cast<std::size_t>(at); };
    switch (tree.kind) {
      case Kind::kEmpty:
        break;
      case Kind::kSet:
        add({Code::kSet, tree.set, start + 1, 0});
        break;
      case Kind::kStart:
        add({Code::kStart, 0, start + 1, 0});
        break;
      case Kind::kEnd:
        add({Code::kEnd, 0, start + 1, 0});
        break;
      case Kind::kNotBehind:
        add({Code::kNotBehind, tree.set, start + 1, 0});
        break;
      case Kind::kSequence:
        for (const NodePtr& part : tree.parts) emit(*part);
        break;
      case Kind::kChoice: {
        std::vector<int> ends;
        for (std::size_t i = 0; i < tree.parts.size(); ++i) {
          const bool last = i + 1 == tree.parts.size();
          const int split = last ? -1 : add({Code::kSplit, 0, here() + 1, 0});
          emit(*tree.parts[i]);
          if (last) break;
          ends.push_back(add({Code::kJump, 0, 0, 0}));
          program[index(split)].other = here();
        }
        for (const int end : ends) program[index(end)].next = here();
        break;
      }
      case Kind::kRepeat: {
        const Node& part = *tree.parts.front();
        for (int i = 0; i < tree.least && !full(); ++i) emit(part);
        if (tree.most < 0) {
          const int split = add({Code::kSplit, 0, here() + 1, 0});
          emit(part);
          add({Code::kJump, 0, split, 0});
          program[index(split)].other = here();
        } else {
          std::vector<int> splits;
          for (int i = tree.least; i < tree.most && !full(); ++i) {
            splits.push_back(add({Code::kSplit, 0, here() + 1, 0}));
            emit(part);
          }
          for (const int split : splits) program[index(split)].other = here();
        }
        break;
      }
      case Kind::kAhead:
      case Kind::kNotAhead: {
        const int look = add({tree.kind == Kind::kAhead ? Code::kAhead : Code::kNotAhead, 0, 0, here() + 1});
        emit(*tree.parts.front());
        add({Code::kMatch, 0, 0, 0});
        program[index(look)].next = here();
        break;
      }
    }
  }

  std::string_view source_;
  std::u32string text_;
  std::size_t at_ = 0;
  Pattern pattern_;
};

Result<Pattern> Pattern::compile(std::string_view text) {
  return Compiler(text).compile();
}

// ---- matching ----

class Pattern::Run {
 public:
  Run(const Pattern& pattern, std::u32string_view text) : pattern_(pattern), text_(text) {}

  // From instruction `start` at `position`: does the program end in kMatch, at the text's end if `whole`,
  // else anywhere.
  bool matches(int start, std::size_t position,
               bool whole) {  // NOLINT(misc-no-recursion): depth of lookaheads
    const std::size_t count = pattern_.program_.size();
    std::vector<int> now;
    std::vector<int> next;
    std::vector<int> stack;
    std::vector<std::size_t> seen(count, kNever);
    bool ended = false;
    const auto follow = [&](int from, std::size_t at, std::vector<int>& states) {
      stack.assign(1, from);
      while (!stack.empty()) {
        const int index = stack.back();
        stack.pop_back();
        if (seen[static_cast<std::size_t>(index)] == at) continue;
        seen[static_cast<std::size_t>(index)] = at;
        const Instruction& step = pattern_.program_[static_cast<std::size_t>(index)];
        switch (step.code) {
          case Code::kSet:
            states.push_back(index);
            break;
          case Code::kMatch:
            ended = ended || !whole || at == text_.size();
            break;
          case Code::kSplit:
            stack.push_back(step.other);
            stack.push_back(step.next);
            break;
          case Code::kJump:
            stack.push_back(step.next);
            break;
          case Code::kStart:
            if (at == 0) stack.push_back(step.next);
            break;
          case Code::kEnd:
            if (at == text_.size()) stack.push_back(step.next);
            break;
          case Code::kNotBehind:
            if (at == 0 || !pattern_.sets_[static_cast<std::size_t>(step.set)].contains(text_[at - 1])) {
              stack.push_back(step.next);
            }
            break;
          case Code::kAhead:
          case Code::kNotAhead:
            if (looks(index, step.other, at) == (step.code == Code::kAhead)) stack.push_back(step.next);
            break;
        }
      }
    };
    follow(start, position, now);
    for (std::size_t at = position; !now.empty() && !(ended && !whole) && at < text_.size(); ++at) {
      next.clear();
      for (const int index : now) {
        const Instruction& step = pattern_.program_[static_cast<std::size_t>(index)];
        if (pattern_.sets_[static_cast<std::size_t>(step.set)].contains(text_[at])) {
          follow(step.next, at + 1, next);
        }
      }
      now.swap(next);
    }
    return ended;
  }

 private:
  static constexpr std::size_t kNever = ~std::size_t{0};

  bool looks(int index, int inner, std::size_t at) {  // NOLINT(misc-no-recursion)
    const std::pair<int, std::size_t> key{index, at};
    const auto known = looked_.find(key);
    if (known != looked_.end()) return known->second;
    const bool result = matches(inner, at, false);
    looked_[key] = result;
    return result;
  }

  const Pattern& pattern_;
  std::u32string_view text_;
  std::map<std::pair<int, std::size_t>, bool> looked_;
};

bool Pattern::matches(std::u32string_view text) const {
  return Run(*this, text).matches(0, 0, true);
}

}  // namespace terrapin::api
