// Which log lines FilterLogEvents wants. Source: "Filter pattern syntax", Amazon CloudWatch Logs User Guide.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace terrapin::api {

// Terms between spaces: `error "out of memory"` all of them, `?a ?b` any of them, `-a` none. Letter case
// counts.
class FilterPattern {
 public:
  // kUnsupported for JSON, [column] and %regular expression% patterns, kInvalidArgument for a quotation mark
  // without its twin.
  static Result<FilterPattern> parse(std::string_view text);
  bool matches(std::string_view line) const;

 private:
  std::vector<std::string> all_, any_, none_;
};

}  // namespace terrapin::api
