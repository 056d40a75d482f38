#include "api/s3/s3_xml.h"

#include <charconv>
#include <pugixml.hpp>

#include "api/s3/s3_checksum.h"
#include "base/markup.h"
#include "storage/object_store.h"

namespace terrapin::api::s3 {
namespace {

constexpr std::string_view kNamespace = "http://s3.amazonaws.com/doc/2006-03-01/";
constexpr std::int64_t kMostDeleteBytes = 2 << 20;
constexpr std::int64_t kMostPartsBytes = 8 << 20;
constexpr std::int64_t kMostSettingBytes = 64 << 10;
constexpr std::size_t kMostDeletedKeys = 1000;
constexpr int kDeepest = 8;

// References to characters that would end or corrupt a text.
bool has_bad_reference(std::string_view text) {
  for (std::size_t at = text.find("&#"); at != std::string_view::npos; at = text.find("&#", at + 2)) {
    std::string_view digits = text.substr(at + 2, 12);
    const std::size_t end = digits.find(';');
    if (end == std::string_view::npos) return true;
    digits = digits.substr(0, end);
    const bool hexadecimal = digits.starts_with('x');
    if (hexadecimal) digits.remove_prefix(1);
    std::uint32_t code = 0;
    const auto [stop, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), code, hexadecimal ? 16 : 10);
    if (error != std::errc() || stop != digits.data() + digits.size()) return true;
    if (code == 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return true;
  }
  return false;
}

bool too_deep(const pugi::xml_node& root) {
  int depth = 0;
  pugi::xml_node node = root;
  while (node) {
    if (node.first_child()) {
      node = node.first_child();
      if (++depth > kDeepest) return true;
      continue;
    }
    while (node != root && !node.next_sibling()) {
      node = node.parent();
      --depth;
    }
    if (node == root) return false;
    node = node.next_sibling();
  }
  return false;
}

// All text of the element: a comment within does not cut it.
std::string text_of(const pugi::xml_node& node) {
  std::string text;
  for (const pugi::xml_node& child : node.children())
    if (child.type() == pugi::node_pcdata || child.type() == pugi::node_cdata) text += child.value();
  return text;
}

std::string_view local_name(const pugi::xml_node& node) {
  const std::string_view name = node.name();
  const std::size_t colon = name.find(':');
  return colon == std::string_view::npos ? name : name.substr(colon + 1);
}

// The document's root if it has that name.
S3Result<pugi::xml_node> parse(pugi::xml_document& document, const ByteSource& body, std::int64_t limit,
                               std::string_view root_name) {
  const auto text = read_all_text(body, limit);
  if (!text) {
    if (text.error().code == ErrorCode::kTooLarge) return refuse("MaxMessageLengthExceeded");
    return refuse("InternalError");
  }
  if (text->find('\0') != std::string::npos || text->find("<!DOCTYPE") != std::string::npos ||
      text->find("<!ENTITY") != std::string::npos || has_bad_reference(*text)) {
    return refuse("MalformedXML");
  }
  const auto result = document.load_buffer(
      text->data(), text->size(),
      pugi::parse_escapes | pugi::parse_cdata | pugi::parse_eol | pugi::parse_ws_pcdata_single,
      pugi::encoding_utf8);
  const pugi::xml_node root = document.document_element();
  if (!result || local_name(root) != root_name || too_deep(document)) return refuse("MalformedXML");
  return root;
}

bool read_number(const std::string& text, int& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

}  // namespace

XmlWriter::XmlWriter() : text_("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n") {}

void XmlWriter::open(std::string_view name, bool with_namespace) {
  text_.append("<").append(name);
  if (with_namespace) text_.append(" xmlns=\"").append(kNamespace).append("\"");
  text_ += '>';
  open_.emplace_back(name);
}

void XmlWriter::open_text(std::string_view name, std::string_view value) {
  open(name, true);
  text_ += markup_text(value);
}

void XmlWriter::close() {
  text_.append("</").append(open_.back()).append(">");
  open_.pop_back();
}

void XmlWriter::element(std::string_view name, std::string_view value) {
  text_.append("<").append(name).append(">");
  text_ += markup_text(value);
  text_.append("</").append(name).append(">");
}

void XmlWriter::element(std::string_view name, std::int64_t value) {
  element(name, std::string_view(std::to_string(value)));
}

void XmlWriter::element(std::string_view name, bool value) {
  element(name, std::string_view(value ? "true" : "false"));
}

std::string XmlWriter::take() {
  while (!open_.empty()) close();
  return std::move(text_);
}

S3Result<DeleteRequest> read_delete(const ByteSource& body) {
  pugi::xml_document document;
  S3_TRY(const pugi::xml_node root, parse(document, body, kMostDeleteBytes, "Delete"));
  DeleteRequest request;
  for (const pugi::xml_node& child : root.children()) {
    if (local_name(child) == "Quiet") {
      request.quiet = text_of(child) == "true";
    } else if (local_name(child) == "Object") {
      DeleteRequest::Object object;
      bool has_key = false;
      for (const pugi::xml_node& member : child.children()) {
        const std::string_view name = local_name(member);
        if (name == "Key") {
          object.key = text_of(member);
          has_key = true;
        } else if (name == "VersionId") {
          object.version_id = text_of(member);
        } else if (name == "ETag") {
          object.etag = text_of(member);
        } else if (name == "LastModifiedTime" || name == "Size") {
          object.conditional = true;
        }
      }
      if (!has_key || request.objects.size() == kMostDeletedKeys) return refuse("MalformedXML");
      request.objects.push_back(std::move(object));
    }
  }
  if (request.objects.empty()) return refuse("MalformedXML");
  return request;
}

S3Result<std::vector<CompletedPart>> read_completed_parts(const ByteSource& body) {
  pugi::xml_document document;
  S3_TRY(const pugi::xml_node root, parse(document, body, kMostPartsBytes, "CompleteMultipartUpload"));
  std::vector<CompletedPart> parts;
  for (const pugi::xml_node& child : root.children()) {
    if (local_name(child) != "Part") continue;
    CompletedPart part;
    for (const pugi::xml_node& member : child.children()) {
      const std::string_view name = local_name(member);
      std::string text = text_of(member);
      if (name == "PartNumber") {
        if (!read_number(text, part.number)) return refuse("MalformedXML");
      } else if (name == "ETag") {
        if (text.size() >= 2 && text.front() == '"' && text.back() == '"')
          text = text.substr(1, text.size() - 2);
        part.etag = std::move(text);
      } else if (const std::optional<std::string> checksum = checksum_of_element(name)) {
        part.checksums.emplace_back(*checksum, std::move(text));
      }
    }
    if (part.number == 0 || part.etag.empty() || parts.size() == std::size_t{storage::kMostParts})
      return refuse("MalformedXML");
    parts.push_back(std::move(part));
  }
  if (parts.empty()) return refuse("MalformedXML");
  return parts;
}

S3Result<TagSet> read_tagging(const ByteSource& body) {
  pugi::xml_document document;
  S3_TRY(const pugi::xml_node root, parse(document, body, kMostSettingBytes, "Tagging"));
  TagSet tags;
  const pugi::xml_node set =
      root.find_child([](const pugi::xml_node& n) { return local_name(n) == "TagSet"; });
  if (!set) return refuse("MalformedXML");
  for (const pugi::xml_node& child : set.children()) {
    if (local_name(child) != "Tag") return refuse("MalformedXML");
    std::optional<std::string> key, value;
    for (const pugi::xml_node& member : child.children()) {
      if (local_name(member) == "Key") key = text_of(member);
      if (local_name(member) == "Value") value = text_of(member);
    }
    if (!key || !value) return refuse("MalformedXML");
    tags.emplace_back(std::move(*key), std::move(*value));
  }
  return tags;
}

S3Result<std::string> read_location_constraint(const ByteSource& body) {
  if (body.size() == 0) return std::string();
  pugi::xml_document document;
  S3_TRY(const pugi::xml_node root, parse(document, body, kMostSettingBytes, "CreateBucketConfiguration"));
  std::string constraint;
  for (const pugi::xml_node& child : root.children()) {
    if (local_name(child) == "LocationConstraint") {
      constraint = text_of(child);
    } else if (child.type() == pugi::node_element) {
      return not_served(fmt::format("{} of CreateBucketConfiguration", local_name(child)));
    }
  }
  return constraint;
}

}  // namespace terrapin::api::s3
