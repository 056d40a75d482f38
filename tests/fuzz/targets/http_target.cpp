// Request targets, queries, percent-encoding, media types.
#include "base/percent.h"
#include "http/target.h"

#include "fuzz/fuzz_target.h"
#include "http/media_type.h"
#include "http/router.h"

using namespace terrapin;

TERRAPIN_FUZZ_TARGET(http_target) {
  const std::string_view text = text_of(input);
  for (const bool plus : {false, true}) {
    const auto decoded = percent_decode(text, plus);
    if (!decoded) continue;
    const auto again = percent_decode(percent_encode(*decoded), plus);
    require(again && *again == *decoded, "encoded and decoded again it is the same");
  }
  const auto parsed = http::parse_query(text);
  if (parsed) {
    std::string written;
    for (const auto& [name, value] : *parsed)
      written += (written.empty() ? "" : "&") + percent_encode(name) + "=" + percent_encode(value);
    const auto again = http::parse_query(written);
    require(again.has_value(), "a written query reads");
    require(*again == *parsed, "and has the same parameters");
  }
  (void)http::media_type_essence(text);
  const auto target = http::parse_target(text);
  if (!target) return;
  require(target->path.starts_with('/'), "a path starts with a slash");
  require(target->path.find('?') == std::string::npos && target->path.find('#') == std::string::npos,
          "and ends before the query");
  static const http::Router router = [] {
    http::Router made;
    const auto nothing = [](const http::Request&) -> Result<http::Response> { return http::Response{}; };
    made.add("GET", "/a/{one}/b", nothing);
    made.add("GET", "/a/{rest+}", nothing);
    made.add("POST", "/", nothing);
    return made;
  }();
  const auto match = router.find("GET", target->path);
  if (!match || match->route == nullptr) return;
  require(match->parameters.size() == 1 && !match->parameters.begin()->second.empty(),
          "a part that matched is not empty");
}
