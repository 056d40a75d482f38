#include "api/logs/filter_pattern.h"

#include <algorithm>

namespace terrapin::api {

Result<FilterPattern> FilterPattern::parse(std::string_view text) {
  FilterPattern pattern;
  for (std::size_t at = text.find_first_not_of(' '); at != std::string_view::npos;
       at = text.find_first_not_of(' ', at)) {
    std::vector<std::string>* terms = &pattern.all_;
    if (text[at] == '{' || text[at] == '[' || text[at] == '%')
      return fail(ErrorCode::kUnsupported,
                  "the filter pattern '{}' is not served; write terms: error \"out of memory\", ?a ?b, -a",
                  text);
    if (text[at] == '?' || text[at] == '-') {
      terms = text[at] == '?' ? &pattern.any_ : &pattern.none_;
      if (++at == text.size()) break;
    }
    std::string term;
    if (text[at] == '"') {
      for (++at; at < text.size() && text[at] != '"'; ++at) {
        if (text[at] == '\\' && at + 1 < text.size()) ++at;
        term += text[at];
      }
      if (at == text.size())
        return fail(ErrorCode::kInvalidArgument,
                    "the filter pattern '{}' has a quotation mark without its twin", text);
      ++at;
    } else {
      const std::size_t end = std::min(text.find(' ', at), text.size());
      term = text.substr(at, end - at);
      at = end;
    }
    if (!term.empty()) terms->push_back(std::move(term));
  }
  return pattern;
}

bool FilterPattern::matches(std::string_view line) const {
  const auto has = [&](const std::string& term) { return line.find(term) != std::string_view::npos; };
  return std::all_of(all_.begin(), all_.end(), has) && std::none_of(none_.begin(), none_.end(), has) &&
         (any_.empty() || std::any_of(any_.begin(), any_.end(), has));
}

}  // namespace terrapin::api
