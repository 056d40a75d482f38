#include "api/sigv4_body.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "api/aws_chunked.h"
#include "base/base64.h"
#include "base/text.h"
#include "crypto/hash.h"

namespace terrapin::api {
namespace {

using crypto::HashKind;

constexpr std::string_view kPrefix = "x-amz-checksum-";

struct Algorithm {
  std::string_view name;   // in header names
  std::string_view shown;  // in messages and in x-amz-sdk-checksum-algorithm
  HashKind kind;
  std::size_t bytes;
};
constexpr std::array kAlgorithms = {
    Algorithm{"crc32", "CRC32", HashKind::kCrc32, 4},
    Algorithm{"crc32c", "CRC32C", HashKind::kCrc32c, 4},
    Algorithm{"crc64nvme", "CRC64NVME", HashKind::kCrc64Nvme, 8},
    Algorithm{"sha1", "SHA1", HashKind::kSha1, 20},
    Algorithm{"sha256", "SHA256", HashKind::kSha256, 32},
};

const Algorithm* algorithm_named(std::string_view name) {
  for (const Algorithm& each : kAlgorithms)
    if (same_ignoring_case(each.name, name)) return &each;
  return nullptr;
}

bool is_chunked(PayloadKind kind) {
  return kind == PayloadKind::kSignedChunks || kind == PayloadKind::kSignedChunksTrailer ||
         kind == PayloadKind::kUnsignedChunksTrailer;
}

struct Declared {
  const Algorithm* algorithm = nullptr;  // null: no checksum
  std::optional<std::string> value;      // nullopt: comes as a trailer
};

tl::expected<void, AwsError> add_declared(std::string_view name, std::optional<std::string> value,
                                          Declared& declared) {
  const Algorithm* algorithm = algorithm_named(name);
  if (algorithm == nullptr)
    return refuse(
        400, "InvalidRequest",
        fmt::format(
            "The algorithm '{}' of an x-amz-checksum- header is not served; served are crc32, crc32c, "
            "crc64nvme, sha1, sha256.",
            name));
  if (declared.algorithm != nullptr)
    return refuse(400, "InvalidRequest",
                  "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.");
  declared = {algorithm, std::move(value)};
  return {};
}

bool is_link(const VerifiedSignature& signature) {
  return signature.form == SignatureForm::kQuery || signature.form == SignatureForm::kQueryVersion2;
}

// The one checksum of the body that the client names.
AwsResult<Declared> declared_checksum(const http::Request& request, const VerifiedSignature& signature) {
  Declared declared;
  const bool completes_upload = request.method == "POST" && request.query_value("uploadId").has_value();
  if (completes_upload) return declared;
  const auto look_at = [&](const std::string& field,
                           const std::string& value) -> tl::expected<void, AwsError> {
    const std::string name = lower_case(field);
    if (!name.starts_with(kPrefix)) return {};
    const std::string_view algorithm = std::string_view(name).substr(kPrefix.size());
    if (algorithm == "mode" || algorithm == "algorithm" || algorithm == "type") return {};
    return add_declared(algorithm, value, declared);
  };
  for (const auto& [field, value] : request.headers.fields())
    if (auto looked = look_at(field, value); !looked) return tl::unexpected(looked.error());
  if (is_link(signature))
    for (const auto& [field, value] : request.query)
      if (auto looked = look_at(field, value); !looked) return tl::unexpected(looked.error());
  if (const auto trailer = request.headers.joined("x-amz-trailer"); trailer && !trailer->empty()) {
    const std::string name = lower_case(storage::folded_value(*trailer));
    const bool announced = signature.payload == PayloadKind::kSignedChunksTrailer ||
                           signature.payload == PayloadKind::kUnsignedChunksTrailer;
    if (!announced || !name.starts_with(kPrefix))
      return refuse(400, "InvalidRequest",
                    "The value specified in the x-amz-trailer header is not supported");
    if (auto added = add_declared(std::string_view(name).substr(kPrefix.size()), std::nullopt, declared);
        !added)
      return tl::unexpected(added.error());
  }
  if (const auto named = request.headers.find("x-amz-sdk-checksum-algorithm")) {
    const Algorithm* algorithm = algorithm_named(*named);
    if (declared.algorithm == nullptr)
      return refuse(
          400, "InvalidRequest",
          "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer "
          "headers were found.");
    if (algorithm != declared.algorithm)
      return refuse(400, "InvalidRequest", "Value for x-amz-sdk-checksum-algorithm header is invalid.");
  }
  return declared;
}

// Everything that reads the body's bytes, fed together.
struct Hashers {
  std::optional<crypto::Hasher> sha256, checksum, md5;
  void add(std::span<const std::uint8_t> bytes) {
    if (sha256) sha256->add(bytes);
    if (checksum) checksum->add(bytes);
    if (md5) md5->add(bytes);
  }
  bool any() const { return sha256 || checksum || md5; }
};

AwsResult<std::int64_t> decoded_length(const http::Request& request) {
  const auto text = request.headers.find("x-amz-decoded-content-length");
  if (!text) return refuse(411, "MissingContentLength", "You must provide the Content-Length HTTP header.");
  std::int64_t value = -1;
  const auto read = std::from_chars(text->data(), text->data() + text->size(), value);
  if (read.ec != std::errc() || read.ptr != text->data() + text->size() || value < 0)
    return refuse(400, "InvalidArgument",
                  fmt::format("x-amz-decoded-content-length '{}' must be a number of bytes", *text));
  return value;
}

// Presigned links carry these in the query for themselves; the rest stands for headers.
bool stands_for_header(const std::string& name, const VerifiedSignature& signature) {
  if (signature.form == SignatureForm::kQueryVersion2 && name == "content-type") return true;
  static constexpr std::array<std::string_view, 8> kOwn = {
      "x-amz-algorithm",     "x-amz-credential", "x-amz-date",           "x-amz-expires",
      "x-amz-signedheaders", "x-amz-signature",  "x-amz-security-token", "x-amz-content-sha256"};
  return name.starts_with("x-amz-") && std::find(kOwn.begin(), kOwn.end(), name) == kOwn.end();
}

}  // namespace

AwsResult<VerifiedBody> verify_body(const http::Request& request, const VerifiedSignature& signature) {
  auto declared = declared_checksum(request, signature);
  if (!declared) return tl::unexpected(declared.error());
  Hashers hashers;
  if (declared->algorithm != nullptr) hashers.checksum.emplace(declared->algorithm->kind);
  if (signature.payload == PayloadKind::kHash) hashers.sha256.emplace(HashKind::kSha256);
  Bytes md5;
  auto digest = request.headers.find("content-md5");
  if (!digest && signature.form == SignatureForm::kQueryVersion2)
    for (const auto& [name, value] : request.query)
      if (same_ignoring_case(name, "content-md5")) digest = value;
  if (digest) {
    if (!crypto::decode_base64(*digest, md5) || md5.size() != 16)
      return refuse(400, "InvalidDigest", "The Content-MD5 you specified was invalid.",
                    {{"Content-MD5", std::string(*digest)}});
    hashers.md5.emplace(HashKind::kMd5);
  }

  VerifiedBody body;
  const ByteSourcePtr sent = request.body_source();
  std::vector<std::pair<std::string, std::string>> trailers;
  if (is_chunked(signature.payload)) {
    const auto length = decoded_length(request);
    if (!length) return tl::unexpected(length.error());
    ChunkedOptions options;
    options.trailers = signature.payload != PayloadKind::kSignedChunks;
    options.decoded_bytes = *length;
    if (signature.payload != PayloadKind::kUnsignedChunksTrailer)
      options.signing =
          ChunkSigning{signature.signing_key, signature.scope, signature.time, signature.signature};
    auto decoded =
        decode_aws_chunked(sent, options, [&](std::span<const std::uint8_t> bytes) { hashers.add(bytes); });
    if (!decoded) return tl::unexpected(decoded.error());
    body.content = std::move(decoded->content);
    trailers = std::move(decoded->trailers);
  } else {
    body.content = sent;
    if (hashers.any()) {
      Bytes block(static_cast<std::size_t>(std::min<std::int64_t>(256 << 10, sent->size())));
      for (std::int64_t at = 0; at < sent->size();) {
        const auto part = std::span(block).first(static_cast<std::size_t>(
            std::min<std::int64_t>(static_cast<std::int64_t>(block.size()), sent->size() - at)));
        if (const auto read = sent->read(at, part); !read)
          return tl::unexpected(internal_failure(Protocol::kS3, read.error(), "(body)"));
        hashers.add(part);
        at += static_cast<std::int64_t>(part.size());
      }
    }
  }

  if (hashers.sha256) {
    const std::string computed = crypto::hex(hashers.sha256->finish());
    if (computed != signature.payload_hash)
      return refuse(
          400, "XAmzContentSHA256Mismatch",
          "The provided 'x-amz-content-sha256' header does not match what was computed.",
          {{"ClientComputedContentSHA256", signature.payload_hash}, {"S3ComputedContentSHA256", computed}});
  }
  if (hashers.md5) {
    const Bytes computed = hashers.md5->finish();
    if (computed != md5)
      return refuse(400, "BadDigest", "The Content-MD5 you specified did not match what we received.",
                    {{"ExpectedDigest", base64(md5)}, {"CalculatedDigest", base64(computed)}});
  }
  for (const auto& [name, value] : trailers) {
    const bool expected = declared->algorithm != nullptr && !declared->value &&
                          name == std::string(kPrefix) + std::string(declared->algorithm->name);
    if (!expected)
      return refuse(400, "MalformedTrailerError",
                    fmt::format("The trailer '{}' is not the one that x-amz-trailer announces.", name));
    declared->value = value;
  }
  if (declared->algorithm == nullptr) return body;
  const Algorithm& algorithm = *declared->algorithm;
  if (!declared->value)
    return refuse(
        400, "MalformedTrailerError",
        fmt::format("The trailer '{}{}' that x-amz-trailer announces is missing.", kPrefix, algorithm.name));
  Bytes given;
  if (!crypto::decode_base64(*declared->value, given) || given.size() != algorithm.bytes)
    return refuse(400, "InvalidRequest",
                  fmt::format("Value for {}{} header is invalid.", kPrefix, algorithm.name));
  if (hashers.checksum->finish() != given)
    return refuse(
        400, "BadDigest",
        fmt::format("The {} you specified did not match the calculated checksum.", algorithm.shown));
  body.checksums.emplace(algorithm.name, *declared->value);
  return body;
}

bool needs_plain_request(const http::Request& request, const VerifiedSignature& signature) {
  if (const auto encoding = request.headers.joined("content-encoding"))
    if (lower_case(*encoding).find("aws-chunked") != std::string::npos) return true;
  return is_link(signature) &&
         std::any_of(request.query.begin(), request.query.end(), [&](const auto& member) {
           return stands_for_header(lower_case(member.first), signature);
         });
}

http::Request plain_request(const http::Request& request, const VerifiedSignature& signature) {
  http::Request plain;
  plain.method = request.method;
  plain.target = request.target;
  plain.path = request.path;
  plain.query = request.query;
  plain.parameters = request.parameters;
  plain.remote_address = request.remote_address;
  plain.secure = request.secure;
  plain.client_gone = request.client_gone;
  for (const auto& [name, value] : request.headers.fields()) {
    if (!same_ignoring_case(name, "content-encoding")) {
      plain.headers.add(name, value);
      continue;
    }
    const std::string left = without_aws_chunked(value);
    if (!left.empty()) plain.headers.add(name, left);
  }
  if (is_link(signature)) {
    for (const auto& [field, value] : request.query) {
      const std::string name = lower_case(field);
      if (stands_for_header(name, signature) && !request.headers.find(name)) plain.headers.add(name, value);
    }
  }
  return plain;
}

}  // namespace terrapin::api
