// Bytes of an object or a picture as an answer: ranges, validators, and headers that keep what people
// uploaded from ever becoming active.
#pragma once

#include <string>

#include "http/message.h"
#include "storage/object_store.h"

namespace terrapin::portal {

struct ObjectAnswer {
  std::string cache_control;
  bool as_download = false;  // also what a page could show
  std::string file_name;     // of the download; "": none is told
};

// "attachment; ..." with the name in RFC 8187's form; quotes, slashes and control characters in it are gone.
std::string attachment(const std::string& file_name);

// 200, 206, 304 or 416. Types that run nothing in a browser are told, pictures by their bytes; everything
// else is application/octet-stream and a download. Always under Content-Security-Policy: sandbox.
Result<http::Response> object_answer(const http::Request& request, const storage::OpenObject& object,
                                     const ObjectAnswer& how);

// True, with `response` a 304, if the request has what `tag` (with quotes) names.
bool answered_unchanged(const http::Request& request, const std::string& tag, http::Response& response);

// What every answer with bytes of people's own carries: sandbox, and how long to keep it.
void set_content_headers(http::Response& response, const std::string& tag, const std::string& cache_control);

}  // namespace terrapin::portal
