// Dates of HTTP and of S3's documents.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace terrapin::api::s3 {

// "Tue, 15 Nov 1994 08:12:31 GMT" (RFC 9110, 5.6.7).
std::string http_date(Timestamp time);
// That form; nullopt for any other, which a receiver ignores.
std::optional<Timestamp> parse_http_date(std::string_view text);
// "2009-10-12T17:50:30.000Z": whole seconds, as Last-Modified has them.
std::string s3_date(Timestamp time);

}  // namespace terrapin::api::s3
