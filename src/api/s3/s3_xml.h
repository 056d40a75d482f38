// XML as S3 writes and reads it. pugixml shows in s3_xml.cpp alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/s3/s3_error.h"
#include "base/byte_source.h"

namespace terrapin::api::s3 {

// Elements without attributes, text escaped. Control characters that XML 1.0 cannot hold become U+FFFD: one
// such key must not make a whole answer unreadable. Clients that need them ask for encoding-type=url.
class XmlWriter {
 public:
  XmlWriter();
  void open(std::string_view name, bool with_namespace = false);
  // A root with text in it.
  void open_text(std::string_view name, std::string_view value);
  void close();
  void element(std::string_view name, std::string_view value);
  void element(std::string_view name, std::int64_t value);
  void element(std::string_view name, bool value);
  void element(std::string_view name, const char* value) { element(name, std::string_view(value)); }
  std::string take();

 private:
  std::string text_;
  std::vector<std::string> open_;
};

struct DeleteRequest {
  struct Object {
    std::string key, version_id;
    std::optional<std::string> etag;  // that the object must have, as it was given
    bool conditional = false;         // names a size or time that the object must have
  };
  std::vector<Object> objects;  // 1 to 1,000
  bool quiet = false;
};
struct CompletedPart {
  int number = 0;
  std::string etag;                                            // without quotes
  std::vector<std::pair<std::string, std::string>> checksums;  // "crc32" -> base64
};
using TagSet = std::vector<std::pair<std::string, std::string>>;

// Each refuses what is not well-formed, has a document type, is nested deeper than it can be, or is too large
// (MalformedXML, MaxMessageLengthExceeded).
S3Result<DeleteRequest> read_delete(const ByteSource& body);
S3Result<std::vector<CompletedPart>> read_completed_parts(const ByteSource& body);
S3Result<TagSet> read_tagging(const ByteSource& body);
// The LocationConstraint of CreateBucketConfiguration; empty for an empty body or none.
S3Result<std::string> read_location_constraint(const ByteSource& body);

}  // namespace terrapin::api::s3
