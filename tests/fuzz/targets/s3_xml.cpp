// Bodies of S3 requests. What was read and written again is read the same.
#include "api/s3/s3_xml.h"

#include <tuple>

#include "fuzz/fuzz_target.h"

using namespace terrapin;
using namespace terrapin::api::s3;

namespace {

std::string written(const DeleteRequest& request) {
  XmlWriter writer;
  writer.open("Delete");
  writer.element("Quiet", request.quiet);
  for (const DeleteRequest::Object& object : request.objects) {
    writer.open("Object");
    writer.element("Key", object.key);
    if (!object.version_id.empty()) writer.element("VersionId", object.version_id);
    writer.close();
  }
  writer.close();
  return writer.take();
}

std::string written(const TagSet& tags) {
  XmlWriter writer;
  writer.open("Tagging");
  writer.open("TagSet");
  for (const auto& [key, value] : tags) {
    writer.open("Tag");
    writer.element("Key", key);
    writer.element("Value", value);
    writer.close();
  }
  writer.close();
  writer.close();
  return writer.take();
}

// Control characters become U+FFFD when they are written first; from then on nothing changes.
template <class Read, class Value>
void require_stable(Read read, const Value& value, const char* what) {
  const std::string first = written(value);
  const auto again = read(*terrapin::bytes_source(std::string_view(first)));
  if (!again) return;  // U+FFFD is longer than what it stands for: a limit may be met
  fuzz::require(written(*again) == first, what);
}

}  // namespace

TERRAPIN_FUZZ_TARGET(s3_xml) {
  const ByteSourcePtr body = bytes_source(text_of(input));
  if (const auto request = read_delete(*body)) {
    require(!request->objects.empty() && request->objects.size() <= 1000, "1 to 1,000 objects");
    require_stable(read_delete, *request, "a Delete that is written and read again stays");
  }
  if (const auto parts = read_completed_parts(*body)) {
    for (const CompletedPart& part : *parts)
      require(part.number >= 1 && part.number <= 10'000, "part numbers");
  }
  if (const auto tags = read_tagging(*body)) require_stable(read_tagging, *tags, "tags stay");
  (void)read_location_constraint(*body);
}
