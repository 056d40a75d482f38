#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <iterator>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "api/models/pattern.h"

namespace terrapin::api {
namespace {

Pattern compiled(std::string_view text) {
  auto pattern = Pattern::compile(text);
  EXPECT_TRUE(pattern.has_value()) << (pattern ? "" : pattern.error().message);
  return std::move(*pattern);
}

std::set<std::string> patterns_of_model() {
  std::ifstream file(TERRAPIN_SOURCE_DIR "/src/api/models/sagemaker.json");
  const auto model = nlohmann::json::parse(file);
  std::set<std::string> patterns;
  for (const auto& shape : model.at("shapes")) {
    if (shape.contains("pattern")) patterns.insert(shape["pattern"]);
  }
  return patterns;
}

TEST(SageMakerPattern, EveryPatternOfTheModelCompiles) {
  const auto patterns = patterns_of_model();
  EXPECT_GT(patterns.size(), 60U);
  for (const std::string& text : patterns) {
    const auto pattern = Pattern::compile(text);
    ASSERT_TRUE(pattern.has_value()) << pattern.error().message;
    EXPECT_LT(pattern->size(), 10'000U) << text;
  }
}

TEST(SageMakerPattern, MatchesTheWholeText) {
  const Pattern name = compiled("[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}");
  EXPECT_TRUE(name.matches("a"));
  EXPECT_TRUE(name.matches("a--b"));
  EXPECT_TRUE(name.matches(std::string(63, 'x')));
  EXPECT_FALSE(name.matches(std::string(64, 'x')));
  EXPECT_FALSE(name.matches("a-"));
  EXPECT_FALSE(name.matches("-a"));
  EXPECT_FALSE(name.matches(""));
  EXPECT_FALSE(name.matches("a\n"));
  const Pattern arn = compiled("arn:aws[a-z\\-]*:sagemaker:[a-z0-9\\-]*:[0-9]{12}:workteam/.*");
  EXPECT_TRUE(arn.matches("arn:aws:sagemaker:us-east-1:111122223333:workteam/private-crowd/x"));
  EXPECT_FALSE(arn.matches("arn:aws:sagemaker:region:*:workteam/private-crowd/*"));
  EXPECT_FALSE(compiled("arn:aws[a-z\\-]*:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+")
                   .matches("arn:aws:iam::*:role/*"));
}

TEST(SageMakerPattern, UnicodeClasses) {
  const Pattern tag = compiled("([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)");
  EXPECT_TRUE(tag.matches("Schildkröte 甲羅 ٣ a:b/c=d+e-f@g_h."));
  EXPECT_FALSE(tag.matches("semi;colon"));
  EXPECT_FALSE(tag.matches("🐢"));
  const Pattern title = compiled("[\\t\\n\\r -\\uD7FF\\uE000-\\uFFFD]*");
  EXPECT_TRUE(title.matches("Häuser\tund 家\n"));
  EXPECT_FALSE(title.matches("🐢"));
  EXPECT_FALSE(title.matches(std::string_view("\0", 1)));
  const Pattern group = compiled("[\\p{L}\\p{M}\\p{S}\\p{N}\\p{P}]+");
  EXPECT_TRUE(group.matches("🐢-team:1"));
  EXPECT_FALSE(group.matches("two words"));
  EXPECT_FALSE(compiled(".+").matches("line\u2028separator"));
  EXPECT_TRUE(compiled("[\\S\\s]+").matches("a\nb"));
}

TEST(SageMakerPattern, Lookaround) {
  const Pattern alarm = compiled("(?!\\s*$).+");
  EXPECT_TRUE(alarm.matches("  x"));
  EXPECT_FALSE(alarm.matches("   "));
  const Pattern path = compiled("/(?!.*\\.\\.)[a-zA-Z0-9/_.\\-]+");
  EXPECT_TRUE(path.matches("/metrics/v1.2"));
  EXPECT_FALSE(path.matches("/metrics/../x"));
  const Pattern name = compiled("([a-zA-Z0-9]([a-zA-Z0-9-]){0,62})(?<!-)(\\/[0-9]{1,9})?");
  EXPECT_TRUE(name.matches("model-a/3"));
  EXPECT_FALSE(name.matches("model-/3"));
}

TEST(SageMakerPattern, AddressRanges) {
  std::string cidr;
  for (const std::string& text : patterns_of_model()) {
    if (text.find("25[0-5]") != std::string::npos) cidr = text;
  }
  const Pattern pattern = compiled(cidr);
  for (const char* good :
       {"10.0.0.0/8", "0.0.0.0/0", "192.168.255.1/32", "2001:db8::/32", "::/0", "::1/128"}) {
    EXPECT_TRUE(pattern.matches(good)) << good;
  }
  for (const char* bad : {"10.0.0.0", "10.0.0.0/33", "256.0.0.0/8", "10.0.0/8", "2001:db8::/129", "x/8"}) {
    EXPECT_FALSE(pattern.matches(bad)) << bad;
  }
}

TEST(SageMakerPattern, WhatCannotBeServedIsSaid) {
  for (const char* text : {"a++", "\\bx", "(?<name>x)", "(?<!ab)c", "[a[b]]", "[a&&b]", "\\1", "\\p{IsGreek}",
                           "x{10001}", "(((a{1000}){1000}){1000})"}) {
    const auto pattern = Pattern::compile(text);
    ASSERT_FALSE(pattern.has_value()) << text;
    EXPECT_EQ(pattern.error().code, ErrorCode::kUnsupported) << pattern.error().message;
  }
  for (const char* text : {"(a", "a)", "[a", "a{2,1}", "*a", "a\\", "\\u12", "[b-a]", "a{x}"}) {
    const auto pattern = Pattern::compile(text);
    ASSERT_FALSE(pattern.has_value()) << text;
    EXPECT_EQ(pattern.error().code, ErrorCode::kInvalidArgument) << pattern.error().message;
  }
}

// Would take longer than the universe with a matcher that goes back.
TEST(SageMakerPattern, HostileTextsTakeLinearTime) {
  EXPECT_FALSE(compiled("(a+)+").matches(std::string(100'000, 'a') + "b"));
  EXPECT_FALSE(compiled("(a|aa|a*)*c").matches(std::string(20'000, 'a')));
  EXPECT_FALSE(compiled("[a-zA-Z0-9](-*[a-zA-Z0-9])*").matches(std::string(100'000, '-')));
  EXPECT_FALSE(compiled("(?!.*\\.\\.)[a.]+").matches(std::string(50'000, 'a') + ".."));
}

// A pattern as text, and as the ends that it can reach from a place of a word.
struct NaivePattern {
  std::string text;
  std::function<std::set<std::size_t>(const std::string&, std::size_t)> ends;
};

NaivePattern repeated(const NaivePattern& part, const char* sign, int least, int most) {
  return {part.text + sign, [=](const std::string& word, std::size_t at) {
            std::set<std::size_t> now{at};
            std::set<std::size_t> all;
            if (least == 0) all.insert(at);
            // More rounds than the word has characters reach nothing new.
            const int rounds = most < 0 ? least + static_cast<int>(word.size()) + 1 : most;
            for (int round = 1; round <= rounds; ++round) {
              std::set<std::size_t> next;
              for (const std::size_t from : now) next.merge(part.ends(word, from));
              now = next;
              if (round >= least) all.insert(now.begin(), now.end());
            }
            return all;
          }};
}

TEST(SageMakerPattern, AgreesWithANaiveTwinOnRandomPatterns) {
  std::mt19937 random(7);
  const auto below = [&](int bound) { return static_cast<int>(random() % static_cast<unsigned>(bound)); };
  const auto atom = [](const char* text, const char* members) {
    return NaivePattern{text, [=](const std::string& word, std::size_t at) {
                          const bool fits = at < word.size() && std::string_view(members).find(word[at]) !=
                                                                    std::string_view::npos;
                          return fits ? std::set<std::size_t>{at + 1} : std::set<std::size_t>{};
                        }};
  };
  const NaivePattern atoms[] = {atom("a", "a"),     atom("b", "b"),          atom("-", "-"),
                                atom("[ab]", "ab"), atom("[^a]", "bc-1"),    atom(".", "abc-1"),
                                atom("\\d", "1"),   atom("[a-c-]", "abc-"),  atom("\\p{L}", "abc"),
                                atom("\\W", "-"),   atom("[\\w-]", "abc-1"), atom("\\u0062", "b")};
  const std::function<NaivePattern(int)> make = [&](int depth) {
    NaivePattern whole{"", [](const std::string&, std::size_t at) { return std::set<std::size_t>{at}; }};
    for (int parts = 1 + below(3); parts > 0; --parts) {
      NaivePattern part = atoms[below(12)];
      if (depth > 0 && below(3) == 0) {
        const NaivePattern first = make(depth - 1);
        const NaivePattern second = below(2) == 0 ? make(depth - 1) : first;
        part = {"(" + first.text + "|" + second.text + ")", [=](const std::string& word, std::size_t at) {
                  auto ends = first.ends(word, at);
                  ends.merge(second.ends(word, at));
                  return ends;
                }};
      }
      switch (below(7)) {
        case 0:
          part = repeated(part, "?", 0, 1);
          break;
        case 1:
          part = repeated(part, "*", 0, -1);
          break;
        case 2:
          part = repeated(part, "+", 1, -1);
          break;
        case 3:
          part = repeated(part, "{2}", 2, 2);
          break;
        case 4:
          part = repeated(part, "{1,3}", 1, 3);
          break;
        default:
          break;
      }
      whole = {whole.text + part.text, [=](const std::string& word, std::size_t at) {
                 std::set<std::size_t> ends;
                 for (const std::size_t middle : whole.ends(word, at)) ends.merge(part.ends(word, middle));
                 return ends;
               }};
    }
    return whole;
  };
  int matched = 0;
  for (int i = 0; i < 1000; ++i) {
    const NaivePattern naive = make(2);
    const Pattern pattern = compiled(naive.text);
    for (int k = 0; k < 10; ++k) {
      std::string word;
      for (int length = below(7); length > 0; --length) word += "abc-1"[below(5)];
      const bool expected = naive.ends(word, 0).contains(word.size());
      matched += expected ? 1 : 0;
      ASSERT_EQ(pattern.matches(word), expected) << naive.text << " on '" << word << "'";
    }
  }
  EXPECT_GT(matched, 500);
}

TEST(SageMakerPattern, CodePoints) {
  EXPECT_EQ(code_points("aß甲🐢"), U"aß甲🐢");
  EXPECT_EQ(code_points("\xff\xe4\xb8"), U"\ufffd\ufffd\ufffd");
  EXPECT_EQ(code_points(""), U"");
}

}  // namespace
}  // namespace terrapin::api
