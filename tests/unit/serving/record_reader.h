// A second reader of RecordIO and protobuf, written from the formats' pages alone, to judge the first.
#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace terrapin::testing {

// The bodies of all frames; throws on anything that is not a whole frame.
inline std::vector<std::string> read_frames(std::string_view bytes) {
  const auto u32 = [&](std::size_t at) {
    if (at + 4 > bytes.size()) throw std::runtime_error("frame cut short");
    std::uint32_t value = 0;
    for (int i = 3; i >= 0; --i)
      value = value << 8 | static_cast<unsigned char>(bytes[at + static_cast<std::size_t>(i)]);
    return value;
  };
  std::vector<std::string> bodies;
  std::size_t at = 0;
  while (at < bytes.size()) {
    if (u32(at) != 0xced7230a) throw std::runtime_error("no magic");
    const std::uint32_t length = u32(at + 4);
    if (length >> 29) throw std::runtime_error("a part of a split record");
    const std::size_t padded = (length + 3U) / 4 * 4;
    if (at + 8 + padded > bytes.size()) throw std::runtime_error("body cut short");
    bodies.emplace_back(bytes.substr(at + 8, length));
    at += 8 + padded;
  }
  return bodies;
}

struct Field {
  int number = 0;
  int wire_type = 0;
  std::uint64_t varint = 0;
  std::string_view bytes;
};

inline std::uint64_t read_varint(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (bytes.empty()) throw std::runtime_error("varint cut short");
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 127) << shift;
    if (byte < 128) return value;
  }
  throw std::runtime_error("varint too long");
}

inline std::vector<Field> read_message(std::string_view bytes) {
  std::vector<Field> fields;
  while (!bytes.empty()) {
    Field field;
    const std::uint64_t key = read_varint(bytes);
    field.number = static_cast<int>(key >> 3);
    field.wire_type = static_cast<int>(key & 7);
    if (field.wire_type == 0) {
      field.varint = read_varint(bytes);
    } else if (field.wire_type == 2) {
      const std::uint64_t length = read_varint(bytes);
      if (length > bytes.size()) throw std::runtime_error("field cut short");
      field.bytes = bytes.substr(0, length);
      bytes.remove_prefix(length);
    } else {
      throw std::runtime_error("unexpected wire type");
    }
    fields.push_back(field);
  }
  return fields;
}

inline Field only_field(std::string_view bytes, int number) {
  const auto fields = read_message(bytes);
  if (fields.size() != 1 || fields[0].number != number) throw std::runtime_error("unexpected fields");
  return fields[0];
}

struct ReadRecord {
  std::vector<std::int32_t> shape;
  std::vector<float> target;
};

// Record.features = 1 {key = 1, value = 2}; Value.float32_tensor = 2, int32_tensor = 7; values = 1, packed.
inline ReadRecord read_record(std::string_view body) {
  ReadRecord record;
  std::map<std::string, std::string_view> features;
  for (const Field& entry : read_message(body)) {
    if (entry.number != 1) throw std::runtime_error("unexpected field of Record");
    std::string key;
    std::string_view value;
    for (const Field& part : read_message(entry.bytes))
      (part.number == 1 ? key = part.bytes, value : value = part.bytes);
    features[key] = value;
  }
  if (features.size() != 2) throw std::runtime_error("unexpected features");
  std::string_view numbers = only_field(only_field(features.at("shape"), 7).bytes, 1).bytes;
  while (!numbers.empty()) record.shape.push_back(static_cast<std::int32_t>(read_varint(numbers)));
  const std::string_view floats = only_field(only_field(features.at("target"), 2).bytes, 1).bytes;
  record.target.resize(floats.size() / 4);
  std::memcpy(record.target.data(), floats.data(), record.target.size() * 4);
  return record;
}

}  // namespace terrapin::testing
