// How an answer starts on the wire (RFC 9112, 4 and 6): status line, fields, framing.
#pragma once

#include <string>
#include <string_view>

#include "http/message.h"

namespace terrapin::http {

struct Framing {
  bool to_head = false;  // the request was HEAD
  bool keep_alive = true;
  bool http_1_0 = false;  // the request's version: its clients want to be told that the connection stays
};

// Whether bytes follow the head: not for HEAD, 204 and 304.
bool has_body(const Response& response, bool to_head);

// Bytes of the whole body, wherever it is.
std::int64_t body_bytes(const Response& response);

// Status line to empty line. The handler's fields keep their order and their spelling, except:
// Content-Length, Transfer-Encoding, Connection and Date are the server's (in answer to HEAD a handler's
// Content-Length goes before the body's size); fields whose names are no tokens are left out; a value's line
// breaks and zero bytes become blanks, so that no value can end its line.
std::string response_head(const Response& response, const Framing& framing, std::string_view date);

}  // namespace terrapin::http
