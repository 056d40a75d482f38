#include "artifacts/safetensors.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <optional>
#include <tuple>

#include "artifacts/json_fields.h"
#include "base/json_text.h"

namespace terrapin::artifacts {
namespace {

// Tensor bytes are copied as they stand, so the machine must be what the format is.
static_assert(std::endian::native == std::endian::little, "safetensors data is little-endian");

constexpr std::size_t kLengthBytes = 8;
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // as the reference implementation

struct DTypeRow {
  DType type;
  const char* name;
  std::int64_t size;
};
constexpr DTypeRow kDTypes[] = {{DType::kF64, "F64", 8},   {DType::kF32, "F32", 4}, {DType::kF16, "F16", 2},
                                {DType::kBF16, "BF16", 2}, {DType::kI64, "I64", 8}, {DType::kI32, "I32", 4},
                                {DType::kI16, "I16", 2},   {DType::kI8, "I8", 1},   {DType::kU8, "U8", 1},
                                {DType::kBool, "BOOL", 1}};

const DTypeRow& row_of(DType type) {
  return kDTypes[static_cast<std::size_t>(type)];
}

float half_to_float(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000u) << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1fu, fraction = half & 0x3ffu;
  if (exponent == 0) {
    const float magnitude = std::ldexp(static_cast<float>(fraction), -24);
    return sign ? -magnitude : magnitude;
  }
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | (fraction << 13));
  return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (fraction << 13));
}

// Rounds to nearest, ties to even; overflow gives infinity, as IEEE 754 asks.
std::uint16_t float_to_half(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 16) & 0x8000u, magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<std::uint16_t>(sign | 0x7e00u);
  if (magnitude >= 0x477ff000u) return static_cast<std::uint16_t>(sign | 0x7c00u);  // >= 65520
  if (magnitude < 0x38800000u) {                                                    // below 2^-14: subnormal
    const float scaled = std::ldexp(std::bit_cast<float>(magnitude), 24);           // exact
    return static_cast<std::uint16_t>(sign | static_cast<std::uint32_t>(std::nearbyint(scaled)));
  }
  const std::uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u);
  return static_cast<std::uint16_t>(sign | ((rounded - 0x38000000u) >> 13));
}

std::uint16_t float_to_bfloat16(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<std::uint16_t>((bits >> 16) | 0x40u);
  return static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

template <class T>
T load(const std::uint8_t* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

// shape -> bytes; nullopt when the product leaves 63 bits.
std::optional<std::int64_t> byte_count(const std::vector<std::int64_t>& shape, DType type) {
  std::int64_t bytes = row_of(type).size;
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
  for (const std::int64_t side : shape) {
    if (__builtin_mul_overflow(bytes, side, &bytes)) return std::nullopt;
  }
  return bytes;
}

Result<TensorInfo> parse_info(const std::string& name, const nlohmann::json& json, std::int64_t data_bytes) {
  const std::string where = fmt::format("tensor '{}'", name);
  const auto non_negative = [](const nlohmann::json& value) {
    return value.is_number_unsigned() && value.get<std::uint64_t>() < std::uint64_t{1} << 62;
  };
  ObjectReader reader(json, where);
  const std::string dtype_text = reader.text("dtype");
  const nlohmann::json& shape = reader.array("shape");
  const nlohmann::json& offsets = reader.array("data_offsets", 2);
  TERRAPIN_TRY_STATUS(reader.finish());
  const auto* row = std::find_if(std::begin(kDTypes), std::end(kDTypes),
                                 [&](const DTypeRow& candidate) { return dtype_text == candidate.name; });
  if (row == std::end(kDTypes)) {
    return fail(ErrorCode::kUnsupported,
                "{} has dtype '{}'; supported are F64, F32, F16, BF16, I64, I32, I16, I8, U8, BOOL", where,
                dtype_text);
  }
  TensorInfo info{row->type, {}, 0, 0};
  for (const nlohmann::json& side : shape) {
    if (!non_negative(side)) {
      return fail(ErrorCode::kCorrupt, "{} has shape {}, expected integers >= 0", where, shown(shape));
    }
    info.shape.push_back(side.get<std::int64_t>());
  }
  if (!non_negative(offsets[0]) || !non_negative(offsets[1]) || offsets[0] > offsets[1] ||
      offsets[1].get<std::int64_t>() > data_bytes) {
    return fail(ErrorCode::kCorrupt, "{} has data_offsets {}, expected begin <= end <= {}", where,
                shown(offsets), data_bytes);
  }
  info.begin = offsets[0].get<std::int64_t>(), info.end = offsets[1].get<std::int64_t>();
  const auto bytes = byte_count(info.shape, info.dtype);
  if (!bytes || *bytes != info.end - info.begin) {
    return fail(ErrorCode::kCorrupt,
                "{} of dtype {} and shape {} needs {} bytes but its data_offsets hold {}", where, dtype_text,
                shown(shape), bytes ? std::to_string(*bytes) : "more than 2^63", info.end - info.begin);
  }
  return info;
}

// How many bytes of header follow the first eight of a file of `file_bytes`.
Result<std::uint64_t> header_length(std::span<const std::uint8_t> start, std::uint64_t file_bytes) {
  if (start.size() < kLengthBytes) {
    return fail(ErrorCode::kCorrupt, "safetensors: {} bytes, too short for the 8-byte header length",
                start.size());
  }
  const auto length = load<std::uint64_t>(start.data());
  if (length > kMaxHeaderBytes || length > file_bytes - kLengthBytes) {
    return fail(ErrorCode::kCorrupt,
                "safetensors: header length {} exceeds the file ({} bytes) or the limit of {}", length,
                file_bytes, kMaxHeaderBytes);
  }
  return length;
}

// The format allows neither overlap nor holes: sorted by place, each tensor begins where the one before
// ended.
Status check_layout(const TensorHeader& header, std::int64_t data_bytes) {
  std::vector<const std::pair<const std::string, TensorInfo>*> order;
  for (const auto& item : header.tensors) order.push_back(&item);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return std::tie(a->second.begin, a->second.end) < std::tie(b->second.begin, b->second.end);
  });
  std::int64_t position = 0;
  for (const auto* item : order) {
    const auto& [name, info] = *item;
    if (info.begin != position) {
      return fail(ErrorCode::kCorrupt,
                  "safetensors header: tensor '{}' begins at byte {}, {} the data before it which ends at {}",
                  name, info.begin, info.begin < position ? "overlapping" : "leaving a hole after", position);
    }
    position = info.end;
  }
  if (position != data_bytes) {
    return fail(ErrorCode::kCorrupt, "safetensors: {} bytes of data but the tensors end at {}", data_bytes,
                position);
  }
  return {};
}

Result<TensorHeader> parse_header(std::string_view text, std::int64_t data_bytes) {
  auto json = parse_json(text);
  if (!json) return with_context(std::move(json.error()), "safetensors header");
  if (!json->is_object()) {
    return fail(ErrorCode::kCorrupt, "safetensors header is {}, expected an object", shown(*json));
  }
  TensorHeader header;
  for (const auto& [name, item] : json->items()) {
    if (name != "__metadata__") {
      auto info = parse_info(name, item, data_bytes);
      if (!info) return with_context(std::move(info.error()), "safetensors header");
      header.tensors.emplace(name, std::move(*info));
      continue;
    }
    if (!item.is_object()) {
      return fail(ErrorCode::kCorrupt, "safetensors header: __metadata__ is {}, expected an object",
                  shown(item));
    }
    for (const auto& [key, value] : item.items()) {
      if (!value.is_string()) {
        return fail(ErrorCode::kCorrupt, "safetensors header: __metadata__.{} is {}, expected a string", key,
                    shown(value));
      }
      header.metadata[key] = value.get<std::string>();
    }
  }
  TERRAPIN_TRY_STATUS(check_layout(header, data_bytes));
  return header;
}

}  // namespace

const char* dtype_name(DType type) {
  return row_of(type).name;
}
std::int64_t dtype_size(DType type) {
  return row_of(type).size;
}

Result<TensorHeader> read_safetensors_header(const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    return fail(ErrorCode::kInvalidArgument, "{}: a folder, expected a safetensors file", path.string());
  }
  std::ifstream stream(path, std::ios::binary);
  if (!stream) {
    const bool exists = std::filesystem::exists(path, error);
    return fail(exists ? ErrorCode::kIo : ErrorCode::kNotFound, "{}: {}", path.string(),
                exists ? "cannot be opened" : "no such file");
  }
  const auto read = [&]() -> Result<TensorHeader> {
    const std::uintmax_t file_bytes = std::filesystem::file_size(path, error);
    if (error) return fail(ErrorCode::kIo, "its size cannot be read: {}", error.message());
    Bytes start(kLengthBytes);
    stream.read(reinterpret_cast<char*>(start.data()), kLengthBytes);
    start.resize(static_cast<std::size_t>(stream.gcount()));
    TERRAPIN_TRY(const std::uint64_t length, header_length(start, file_bytes));
    std::string text(length, '\0');
    if (!stream.read(text.data(), static_cast<std::streamsize>(length))) {
      return fail(ErrorCode::kIo, "the header of {} bytes cannot be read", length);
    }
    return parse_header(text, static_cast<std::int64_t>(file_bytes - kLengthBytes - length));
  };
  auto header = read();
  if (!header) return with_context(std::move(header.error()), path.string());
  return header;
}

Result<TensorFile> parse_safetensors(std::span<const std::uint8_t> bytes) {
  TERRAPIN_TRY(const std::uint64_t length, header_length(bytes, bytes.size()));
  const auto text = bytes.subspan(kLengthBytes, static_cast<std::size_t>(length));
  const auto data = bytes.subspan(kLengthBytes + static_cast<std::size_t>(length));
  TERRAPIN_TRY(TensorHeader header, parse_header({reinterpret_cast<const char*>(text.data()), text.size()},
                                                 static_cast<std::int64_t>(data.size())));
  TensorFile file;
  file.metadata = std::move(header.metadata);
  for (auto& [name, info] : header.tensors) {
    TensorData& tensor = file.tensors[name];
    tensor.dtype = info.dtype;
    tensor.shape = std::move(info.shape);
    tensor.data.assign(data.begin() + info.begin, data.begin() + info.end);
  }
  return file;
}

Result<TensorFile> read_safetensors(const std::filesystem::path& path) {
  TERRAPIN_TRY(const Bytes bytes, read_file(path));
  auto file = parse_safetensors(bytes);
  if (!file) return with_context(std::move(file.error()), path.string());
  return file;
}

Bytes serialize_safetensors(const TensorFile& file) {
  std::vector<const std::pair<const std::string, TensorData>*> order;
  for (const auto& item : file.tensors) order.push_back(&item);
  std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return dtype_size(a->second.dtype) > dtype_size(b->second.dtype);
  });
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!file.metadata.empty()) header["__metadata__"] = file.metadata;
  std::size_t position = 0;
  for (const auto* item : order) {
    const TensorData& tensor = item->second;
    header[item->first] = {{"dtype", dtype_name(tensor.dtype)},
                           {"shape", tensor.shape},
                           {"data_offsets", {position, position + tensor.data.size()}}};
    position += tensor.data.size();
  }
  std::string text = json_text(header);
  text.append((8 - text.size() % 8) % 8, ' ');  // data begins aligned

  Bytes bytes(kLengthBytes + text.size() + position);
  const auto length = static_cast<std::uint64_t>(text.size());
  std::memcpy(bytes.data(), &length, kLengthBytes);
  std::memcpy(bytes.data() + kLengthBytes, text.data(), text.size());
  auto out = bytes.begin() + static_cast<std::ptrdiff_t>(kLengthBytes + text.size());
  for (const auto* item : order) out = std::copy(item->second.data.begin(), item->second.data.end(), out);
  return bytes;
}

Status check_tensors(const TensorFile& file) {
  for (const auto& [name, tensor] : file.tensors) {
    const bool negative =
        std::any_of(tensor.shape.begin(), tensor.shape.end(), [](auto side) { return side < 0; });
    const auto bytes = byte_count(tensor.shape, tensor.dtype);
    if (negative || !bytes || static_cast<std::uint64_t>(*bytes) != tensor.data.size()) {
      return fail(ErrorCode::kInvalidArgument, "tensor '{}' of dtype {} and shape [{}] cannot hold {} bytes",
                  name, dtype_name(tensor.dtype), fmt::join(tensor.shape, ", "), tensor.data.size());
    }
  }
  return {};
}

Status write_safetensors(const std::filesystem::path& path, const TensorFile& file) {
  if (auto checked = check_tensors(file); !checked)
    return with_context(std::move(checked.error()), path.string());
  return write_file_atomically(path, serialize_safetensors(file));
}

Result<std::vector<float>> to_float32(const TensorData& tensor) {
  const auto width = static_cast<std::size_t>(dtype_size(tensor.dtype));
  const std::size_t count = tensor.data.size() / width;
  std::vector<float> values(count);
  const std::uint8_t* data = tensor.data.data();
  switch (tensor.dtype) {
    case DType::kF64:
      for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<float>(load<double>(data + 8 * i));
      return values;
    case DType::kF32:
      if (count > 0) std::memcpy(values.data(), data, count * 4);
      return values;
    case DType::kF16:
      for (std::size_t i = 0; i < count; ++i) values[i] = half_to_float(load<std::uint16_t>(data + 2 * i));
      return values;
    case DType::kBF16:
      for (std::size_t i = 0; i < count; ++i) {
        values[i] = std::bit_cast<float>(static_cast<std::uint32_t>(load<std::uint16_t>(data + 2 * i)) << 16);
      }
      return values;
    default:
      return fail(ErrorCode::kInvalidArgument, "dtype {} is not a float type; expected F64, F32, F16 or BF16",
                  dtype_name(tensor.dtype));
  }
}

TensorData from_float32(std::span<const float> values, std::vector<std::int64_t> shape, DType stored_as) {
  TensorData tensor;
  tensor.dtype = stored_as;
  tensor.shape = std::move(shape);
  tensor.data.resize(values.size() * static_cast<std::size_t>(dtype_size(stored_as)));
  std::uint8_t* out = tensor.data.data();
  const auto store = [&out](auto value) {
    std::memcpy(out, &value, sizeof value);
    out += sizeof value;
  };
  for (const float value : values) {
    switch (stored_as) {
      case DType::kF64:
        store(static_cast<double>(value));
        break;
      case DType::kF32:
        store(value);
        break;
      case DType::kF16:
        store(float_to_half(value));
        break;
      case DType::kBF16:
        store(float_to_bfloat16(value));
        break;
      // Integers: rounded, clamped into the type's range; NaN is 0.
      default: {
        const double rounded = std::isnan(value) ? 0.0 : std::nearbyint(static_cast<double>(value));
        const auto clamped = [&](double low, double high) { return std::clamp(rounded, low, high); };
        switch (stored_as) {
          case DType::kI64:
            // 2^63 itself does not fit; the largest double below it does.
            store(static_cast<std::int64_t>(clamped(-9223372036854775808.0, 9223372036854774784.0)));
            break;
          case DType::kI32:
            store(static_cast<std::int32_t>(clamped(-2147483648.0, 2147483647.0)));
            break;
          case DType::kI16:
            store(static_cast<std::int16_t>(clamped(-32768, 32767)));
            break;
          case DType::kI8:
            store(static_cast<std::int8_t>(clamped(-128, 127)));
            break;
          case DType::kU8:
            store(static_cast<std::uint8_t>(clamped(0, 255)));
            break;
          default:
            store(static_cast<std::uint8_t>(rounded != 0));
            break;
        }
      }
    }
  }
  return tensor;
}

}  // namespace terrapin::artifacts
