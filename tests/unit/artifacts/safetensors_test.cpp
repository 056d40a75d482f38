#include "artifacts/safetensors.h"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>

#include "unit/artifacts/failures.h"
#include "unit/base/temporary_folder.h"

namespace terrapin::artifacts {
namespace {

using test::expect_failure;
using test::must;

// A file as Python writes it: struct.pack("<Q", len(header)) + header + data.
Bytes file_of(const std::string& header, const Bytes& data) {
  Bytes bytes;
  for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<std::uint8_t>(header.size() >> (8 * i)));
  bytes.insert(bytes.end(), header.begin(), header.end());
  bytes.insert(bytes.end(), data.begin(), data.end());
  return bytes;
}

// The naive twin: reads as Python's json + struct would, trusting the file.
std::map<std::string, Bytes> naive_read(const Bytes& bytes) {
  std::uint64_t length = 0;
  for (int i = 7; i >= 0; --i) length = length * 256 + bytes[static_cast<std::size_t>(i)];
  const auto header = nlohmann::json::parse(bytes.begin() + 8, bytes.begin() + 8 + static_cast<long>(length));
  std::map<std::string, Bytes> tensors;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    const long begin = 8 + static_cast<long>(length) + entry["data_offsets"][0].get<long>();
    const long end = 8 + static_cast<long>(length) + entry["data_offsets"][1].get<long>();
    tensors[name] = Bytes(bytes.begin() + begin, bytes.begin() + end);
  }
  return tensors;
}

TensorFile small_file() {
  TensorFile file;
  file.metadata["format"] = "pt";
  const std::vector<float> values{1.0f, -2.5f, 3.25f, 0.0f, 1e-3f, 7.0f};
  file.tensors["a.flags"] = from_float32(std::vector<float>{1, 0, 1}, {3}, DType::kU8);
  file.tensors["b.weight"] = from_float32(values, {2, 3});
  file.tensors["c.half"] = from_float32(values, {6}, DType::kF16);
  file.tensors["d.scalar"] = from_float32(std::vector<float>{4.0f}, {}, DType::kF64);
  file.tensors["e.empty"] = from_float32({}, {0, 5});
  return file;
}

TEST(Safetensors, RoundTripKeepsEveryTensorAndTheMetadata) {
  const TensorFile file = small_file();
  const TensorFile again = must(parse_safetensors(serialize_safetensors(file)));
  EXPECT_EQ(again.metadata, file.metadata);
  ASSERT_EQ(again.tensors.size(), file.tensors.size());
  for (const auto& [name, tensor] : file.tensors) {
    EXPECT_EQ(again.tensors.at(name).dtype, tensor.dtype) << name;
    EXPECT_EQ(again.tensors.at(name).shape, tensor.shape) << name;
    EXPECT_EQ(again.tensors.at(name).data, tensor.data) << name;
  }
}

TEST(Safetensors, AnIndependentReaderSeesTheSameBytesAligned) {
  const TensorFile file = small_file();
  const Bytes bytes = serialize_safetensors(file);
  const auto naive = naive_read(bytes);
  ASSERT_EQ(naive.size(), file.tensors.size());
  for (const auto& [name, data] : naive) EXPECT_EQ(data, file.tensors.at(name).data) << name;
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  EXPECT_EQ(length % 8, 0u);
  const auto header = nlohmann::json::parse(bytes.begin() + 8, bytes.begin() + 8 + static_cast<long>(length));
  EXPECT_EQ(header["b.weight"]["dtype"], "F32");
  EXPECT_EQ(header["b.weight"]["shape"], nlohmann::json::parse("[2,3]"));
  EXPECT_EQ(header["d.scalar"]["shape"], nlohmann::json::array());
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    EXPECT_EQ(entry["data_offsets"][0].get<std::int64_t>() % dtype_size(file.tensors.at(name).dtype), 0)
        << name;
  }
}

TEST(Safetensors, ReadsAHeaderPaddedWithSpaces) {
  const Bytes data{0, 0, 128, 63};  // 1.0f
  const auto file = must(
      parse_safetensors(file_of(R"({"x":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]}}    )", data)));
  EXPECT_EQ(must(to_float32(file.tensors.at("x"))), std::vector<float>{1.0f});
}

TEST(Safetensors, SameInputSameBytesAndFilesRoundTrip) {
  test::TemporaryFolder folder;
  const auto path = folder / "w.safetensors";
  must(write_safetensors(path, small_file()));
  EXPECT_EQ(must(read_file(path)), serialize_safetensors(small_file()));
  EXPECT_EQ(must(read_safetensors(path)).tensors.size(), 5u);
  expect_failure(read_safetensors(folder / "absent"), ErrorCode::kNotFound, "absent");
  test::write_text(folder / "bad", "tiny");
  expect_failure(read_safetensors(folder / "bad"), ErrorCode::kCorrupt, (folder / "bad").string());
}

TEST(Safetensors, RefusesToWriteATensorThatLies) {
  test::TemporaryFolder folder;
  TensorFile file = small_file();
  file.tensors["b.weight"].shape = {2, 4};
  expect_failure(write_safetensors(folder / "w", file), ErrorCode::kInvalidArgument,
                 "tensor 'b.weight' of dtype F32 and shape [2, 4] cannot hold 24 bytes");
  EXPECT_FALSE(std::filesystem::exists(folder / "w"));
}

TEST(Safetensors, HostileHeaders) {
  const Bytes eight(8);
  const auto parse = [&](const std::string& header) { return parse_safetensors(file_of(header, eight)); };
  const auto refuse = [&](const std::string& header, const std::string& part,
                          ErrorCode code = ErrorCode::kCorrupt) {
    expect_failure(parse(header), code, part);
  };
  ASSERT_TRUE(parse(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})"));
  refuse("{", "not valid JSON");
  refuse("[]", "expected an object");
  refuse("\xff\xfe", "not valid JSON");
  refuse(std::string(100'000, '['), "deeper than 64 levels");
  const std::string open(1'000'000, '['), close(1'000'000, ']');
  refuse(open + close, "the JSON nests objects and arrays deeper than 64 levels");
  refuse(R"({"x":)" + open + close + "}", "deeper than 64 levels");
  refuse(R"({"x":)" + std::string(63, '[') + std::string(63, ']') + "}", "expected an object");
  refuse(R"({"x":3})", "tensor 'x' is 3, expected an object");
  refuse(R"({"x":{"shape":[2],"data_offsets":[0,8]}})", "dtype' is missing");
  refuse(R"({"x":{"dtype":"F31","shape":[2],"data_offsets":[0,8]}})", "dtype 'F31'", ErrorCode::kUnsupported);
  refuse(R"({"x":{"dtype":"F32","shape":2,"data_offsets":[0,8]}})", "expected an array");
  refuse(R"({"x":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", "expected integers >= 0");
  refuse(R"({"x":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}})", "expected integers >= 0");
  refuse(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0]}})", "expected an array of 2 values");
  refuse(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", "expected begin <= end <= 8");
  refuse(R"({"x":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})", "expected begin <= end <= 8");
  refuse(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,18446744073709551615]}})", "data_offsets");
  refuse(R"({"x":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", "needs 12 bytes");
  refuse(R"({"x":{"dtype":"F32","shape":[4611686018427387903,4611686018427387903],"data_offsets":[0,8]}})",
         "more than 2^63");
  refuse(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"y":1}})", "unknown field");
  refuse(
      R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"y":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
      "overlapping");
  refuse(
      R"({"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"y":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
      "leaving a hole");
  refuse(R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
         "8 bytes of data but the tensors end at 4");
  refuse(
      R"({"x":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"x":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}})",
      "'x' occurs twice");
  refuse(R"({"__metadata__":[]})", "__metadata__");
  refuse(R"({"__metadata__":{"a":1}})", "__metadata__.a is 1, expected a string");
  expect_failure(parse_safetensors(Bytes(7)), ErrorCode::kCorrupt, "too short");
  expect_failure(parse_safetensors(Bytes(16, 0xff)), ErrorCode::kCorrupt, "header length");
}

TEST(Safetensors, TheHeaderAloneSaysWhatTheFileHolds) {
  test::TemporaryFolder folder;
  const auto path = folder / "w.safetensors";
  must(write_safetensors(path, small_file()));
  const TensorHeader header = must(read_safetensors_header(path));
  EXPECT_EQ(header.metadata, small_file().metadata);
  ASSERT_EQ(header.tensors.size(), 5u);
  for (const auto& [name, tensor] : small_file().tensors) {
    const TensorInfo& info = header.tensors.at(name);
    EXPECT_EQ(info.dtype, tensor.dtype) << name;
    EXPECT_EQ(info.shape, tensor.shape) << name;
    EXPECT_EQ(static_cast<std::size_t>(info.end - info.begin), tensor.data.size()) << name;
  }
  // Every cut and every lie that the whole file is refused for.
  const Bytes bytes = must(read_file(path));
  for (std::size_t size = 0; size < bytes.size(); size += 7) {
    must(write_file_atomically(path, std::span(bytes).first(size)));
    EXPECT_FALSE(read_safetensors_header(path)) << size;
  }
  must(write_file_atomically(path,
                             file_of(R"({"x":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", Bytes(8))));
  expect_failure(
      read_safetensors_header(path), ErrorCode::kCorrupt,
      path.string() + ": safetensors header: tensor 'x' of dtype F32 and shape [3] needs 12 bytes");
  must(write_file_atomically(path, Bytes(16, 0xff)));
  expect_failure(read_safetensors_header(path), ErrorCode::kCorrupt, "header length");
  expect_failure(read_safetensors_header(folder / "none"), ErrorCode::kNotFound, "no such file");
  expect_failure(read_safetensors_header(folder.path()), ErrorCode::kInvalidArgument, "a folder");
}

TEST(Safetensors, EveryCutOfAFileIsRefused) {
  const Bytes bytes = serialize_safetensors(small_file());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(parse_safetensors(std::span(bytes).first(size))) << size;
  }
}

TEST(Safetensors, EveryHalfSurvivesTheWayThroughFloat) {
  TensorData halves{DType::kF16, {65536}, Bytes(131072)};
  for (std::uint32_t i = 0; i < 65536; ++i) {
    halves.data[2 * i] = static_cast<std::uint8_t>(i),
                    halves.data[2 * i + 1] = static_cast<std::uint8_t>(i >> 8);
  }
  const std::vector<float> values = must(to_float32(halves));
  EXPECT_EQ(values[0x3c00], 1.0f);
  EXPECT_EQ(values[0xc000], -2.0f);
  EXPECT_EQ(values[0x0001], std::ldexp(1.0f, -24));
  EXPECT_EQ(values[0x7bff], 65504.0f);
  EXPECT_TRUE(std::isinf(values[0xfc00]));
  const TensorData again = from_float32(values, {65536}, DType::kF16);
  for (std::uint32_t i = 0; i < 65536; ++i) {
    if ((i & 0x7c00) == 0x7c00 && (i & 0x3ff) != 0) {
      EXPECT_TRUE(std::isnan(values[i]));
      continue;
    }
    ASSERT_EQ(again.data[2 * i] | again.data[2 * i + 1] << 8, static_cast<int>(i));
  }
}

TEST(Safetensors, HalfAndBfloatRoundToNearestEven) {
  const auto code = [](float value, DType type) {
    const TensorData one = from_float32(std::vector<float>{value}, {1}, type);
    return one.data[0] | one.data[1] << 8;
  };
  EXPECT_EQ(code(1.0f + std::ldexp(1.0f, -11), DType::kF16), 0x3c00);  // halfway, to even
  EXPECT_EQ(code(1.0f + 3 * std::ldexp(1.0f, -11), DType::kF16), 0x3c02);
  EXPECT_EQ(code(65519.0f, DType::kF16), 0x7bff);
  EXPECT_EQ(code(65520.0f, DType::kF16), 0x7c00);
  EXPECT_EQ(code(std::ldexp(1.0f, -25), DType::kF16), 0x0000);
  EXPECT_EQ(code(std::ldexp(1.5f, -25), DType::kF16), 0x0001);
  EXPECT_EQ(code(-0.0f, DType::kF16), 0x8000);
  EXPECT_EQ(code(1.0f + std::ldexp(1.0f, -8), DType::kBF16), 0x3f80);
  EXPECT_EQ(code(1.0f + 3 * std::ldexp(1.0f, -8), DType::kBF16), 0x3f82);
  const auto back = must(to_float32(from_float32(std::vector<float>{-3.5f}, {1}, DType::kBF16)));
  EXPECT_EQ(back, std::vector<float>{-3.5f});
}

TEST(Safetensors, IntegersAreClampedGoingInAndRefusedComingOut) {
  const std::vector<float> values{-1e30f, 1.6f, 1e30f, std::nanf("")};
  EXPECT_EQ(from_float32(values, {4}, DType::kU8).data, (Bytes{0, 2, 255, 0}));
  EXPECT_EQ(from_float32(values, {4}, DType::kI8).data, (Bytes{0x80, 2, 0x7f, 0}));
  EXPECT_EQ(from_float32(values, {4}, DType::kI64).data.size(), 32u);
  expect_failure(to_float32(from_float32(values, {4}, DType::kI32)), ErrorCode::kInvalidArgument,
                 "dtype I32");
  EXPECT_EQ(must(to_float32(from_float32(std::vector<float>{0.5f}, {1}, DType::kF64))),
            std::vector<float>{0.5f});
}

TEST(Safetensors, ReadsPublicWeights) {
  const char* data = std::getenv("TERRAPIN_TEST_DATA");
  if (!data) GTEST_SKIP() << "TERRAPIN_TEST_DATA is not set";
  const auto file =
      must(read_safetensors(std::filesystem::path(data) / "weights/deeplabv3_mnv2_pascal_quant.safetensors"));
  const TensorData& first = file.tensors.at("000_conv.weight");
  EXPECT_EQ(first.shape, (std::vector<std::int64_t>{32, 3, 3, 3}));
  for (const float value : must(to_float32(first))) EXPECT_TRUE(std::isfinite(value));
}

}  // namespace
}  // namespace terrapin::artifacts
