#include "api/aws_chunked.h"

#include <algorithm>
#include <cstring>

#include "api/errors.h"
#include "base/text.h"
#include "crypto/hash.h"

namespace terrapin::api {
namespace {

constexpr std::size_t kMaxLineBytes = 1024;
constexpr std::size_t kMaxTrailers = 16;
constexpr std::size_t kMaxChunks = std::size_t{1} << 20;
constexpr std::int64_t kMinChunkBytes = 8192;
constexpr std::size_t kWindowBytes = 256 << 10;

tl::unexpected<AwsError> incomplete(const std::string& detail) {
  return refuse(400, "IncompleteBody", "The request body is not well-formed aws-chunked: " + detail);
}

// Parts of another source, one after the other.
class PartsSource final : public ByteSource {
 public:
  struct Part {
    std::int64_t start = 0;   // where it begins here
    std::int64_t offset = 0;  // and there
  };
  PartsSource(ByteSourcePtr whole, std::vector<Part> parts, std::int64_t size)
      : whole_(std::move(whole)), parts_(std::move(parts)), size_(size) {}
  std::int64_t size() const override { return size_; }
  Status read(std::int64_t offset, std::span<std::uint8_t> out) const override {
    if (offset < 0 || offset > size_ || static_cast<std::int64_t>(out.size()) > size_ - offset)
      return fail(ErrorCode::kInvalidArgument, "bytes {} to {} of a source of {}", offset,
                  offset + static_cast<std::int64_t>(out.size()), size_);
    auto part = std::upper_bound(parts_.begin(), parts_.end(), offset,
                                 [](std::int64_t value, const Part& each) { return value < each.start; });
    while (!out.empty()) {
      const std::int64_t end = part == parts_.end() ? size_ : part->start;
      const Part& holder = *std::prev(part);
      const auto count = static_cast<std::size_t>(
          std::min<std::int64_t>(static_cast<std::int64_t>(out.size()), end - offset));
      TERRAPIN_TRY_STATUS(whole_->read(holder.offset + offset - holder.start, out.first(count)));
      out = out.subspan(count);
      offset += static_cast<std::int64_t>(count);
      if (part != parts_.end()) ++part;
    }
    return {};
  }

 private:
  ByteSourcePtr whole_;
  std::vector<Part> parts_;  // ascending by start, none empty, the first at 0
  std::int64_t size_;
};

// Reads a source forwards through one window.
class Reader {
 public:
  explicit Reader(const ByteSource& source) : source_(source) {}

  std::int64_t position() const { return position_; }
  std::int64_t left() const { return source_.size() - position_; }
  bool at_end() const { return left() == 0; }

  // The next bytes, at least one, at most `most`.
  AwsResult<std::span<const std::uint8_t>> next(std::int64_t most) {
    if (position_ < window_start_ || position_ >= window_start_ + static_cast<std::int64_t>(window_.size())) {
      window_.resize(static_cast<std::size_t>(std::min<std::int64_t>(kWindowBytes, left())));
      window_start_ = position_;
      if (const auto read = source_.read(position_, window_); !read)
        return tl::unexpected(internal_failure(Protocol::kS3, read.error(), "(body)"));
    }
    const auto begin = static_cast<std::size_t>(position_ - window_start_);
    const auto count = static_cast<std::size_t>(
        std::min<std::int64_t>(most, static_cast<std::int64_t>(window_.size() - begin)));
    position_ += static_cast<std::int64_t>(count);
    return std::span<const std::uint8_t>(window_).subspan(begin, count);
  }

  // Up to the next line feed; without it and a carriage return before it.
  AwsResult<std::string> line() {
    std::string text;
    while (!at_end()) {
      const auto piece = next(1);
      if (!piece) return tl::unexpected(piece.error());
      const char c = static_cast<char>(piece->front());
      if (c == '\n') {
        if (!text.empty() && text.back() == '\r') text.pop_back();
        return text;
      }
      text += c;
      if (text.size() > kMaxLineBytes)
        return incomplete(fmt::format("a line at byte {} is longer than {} bytes", position_, kMaxLineBytes));
    }
    return refuse(400, "IncompleteBody", "The request body terminated unexpectedly");
  }

 private:
  const ByteSource& source_;
  std::int64_t position_ = 0, window_start_ = 0;
  Bytes window_;
};

struct ChunkHead {
  std::int64_t size = 0;
  std::string signature;
};

AwsResult<ChunkHead> parse_head(const std::string& line, bool is_signed, std::int64_t at) {
  ChunkHead head;
  std::size_t digits = 0;
  for (; digits < line.size(); ++digits) {
    const char c = line[digits];
    const int value = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (value < 0) break;
    if (digits == 15)
      return incomplete(fmt::format("the size of the chunk at byte {} has too many digits", at));
    head.size = head.size * 16 + value;
  }
  if (digits == 0)
    return incomplete(fmt::format("the chunk at byte {} must begin with its size in hexadecimal", at));
  static constexpr std::string_view kMark = ";chunk-signature=";
  const std::string_view rest = std::string_view(line).substr(digits);
  if (!is_signed) {
    if (!rest.empty()) return incomplete(fmt::format("the unsigned chunk at byte {} has an extension", at));
    return head;
  }
  if (!rest.starts_with(kMark) || rest.size() != kMark.size() + 64)
    return incomplete(
        fmt::format("the chunk at byte {} must have the form size;chunk-signature=signature", at));
  head.signature = rest.substr(kMark.size());
  return head;
}

// Every signature is over the one before it, so chunks can be neither left out nor put in another order.
class SignatureChain {
 public:
  explicit SignatureChain(const ChunkSigning& signing) : signing_(signing), previous_(signing.seed) {}

  bool accept_chunk(const Bytes& content_sha256, const std::string& given) {
    return accept("AWS4-HMAC-SHA256-PAYLOAD",
                  crypto::hex(crypto::hash(crypto::HashKind::kSha256, std::string_view())) + "\n" +
                      crypto::hex(content_sha256),
                  given);
  }
  bool accept_trailers(const std::string& canonical, const std::string& given) {
    return accept("AWS4-HMAC-SHA256-TRAILER", crypto::hex(crypto::hash(crypto::HashKind::kSha256, canonical)),
                  given);
  }

 private:
  bool accept(std::string_view algorithm, const std::string& hashes, const std::string& given) {
    const std::string expected =
        storage::signature(signing_.key, fmt::format("{}\n{}\n{}\n{}\n{}", algorithm, signing_.time,
                                                     signing_.scope.text(), previous_, hashes));
    previous_ = expected;
    return crypto::equal_in_constant_time(expected, given);
  }
  const ChunkSigning& signing_;
  std::string previous_;
};

tl::unexpected<AwsError> wrong_signature() {
  return refuse(
      403, "SignatureDoesNotMatch",
      "The request signature we calculated does not match the signature you provided. Check your key and "
      "signing method.");
}

tl::expected<void, AwsError> read_trailers(Reader& reader, SignatureChain* chain, ChunkedBody& body) {
  const auto malformed = [] {
    return refuse(
        400, "MalformedTrailerError",
        "The request contained trailing data that was not well-formed or did not conform to our published "
        "schema.");
  };
  std::string canonical, given;
  while (!reader.at_end()) {
    const auto line = reader.line();
    if (!line) return tl::unexpected(line.error());
    if (line->empty()) {
      // Some clients put an empty line before the signature.
      if (chain != nullptr && given.empty() && !reader.at_end()) continue;
      break;
    }
    const std::size_t colon = line->find(':');
    if (colon == 0 || colon == std::string::npos || !given.empty() || body.trailers.size() == kMaxTrailers)
      return malformed();
    const std::string name = lower_case(std::string(trimmed(std::string_view(*line).substr(0, colon))));
    const std::string value(trimmed(std::string_view(*line).substr(colon + 1)));
    if (name == "x-amz-trailer-signature") {
      if (chain == nullptr || value.empty()) return malformed();
      given = value;
    } else {
      canonical.append(name).append(":").append(value).append("\n");
      body.trailers.emplace_back(name, value);
    }
  }
  if (chain == nullptr) return {};
  if (given.empty()) return malformed();
  if (!chain->accept_trailers(canonical, given)) return wrong_signature();
  return {};
}

}  // namespace

AwsResult<ChunkedBody> decode_aws_chunked(const ByteSourcePtr& encoded, const ChunkedOptions& options,
                                          const std::function<void(std::span<const std::uint8_t>)>& each) {
  Reader reader(*encoded);
  std::optional<SignatureChain> chain;
  if (options.signing) chain.emplace(*options.signing);
  std::vector<PartsSource::Part> parts;
  std::int64_t total = 0;
  for (bool had_short = false;;) {
    const std::int64_t at = reader.position();
    const auto line = reader.line();
    if (!line) return tl::unexpected(line.error());
    const auto head = parse_head(*line, chain.has_value(), at);
    if (!head) return tl::unexpected(head.error());
    if (head->size > reader.left())
      return refuse(400, "IncompleteBody", "The request body terminated unexpectedly");
    if (head->size > options.decoded_bytes - total)
      return refuse(400, "IncompleteBody",
                    fmt::format("The chunks hold more bytes than x-amz-decoded-content-length, {}, says",
                                options.decoded_bytes));
    if (chain && had_short && head->size > 0)
      return refuse(403, "InvalidChunkSizeError",
                    "Only the last chunk is allowed to have a size less than 8192 bytes");
    had_short = head->size < kMinChunkBytes;
    if (head->size > 0) {
      if (parts.size() == kMaxChunks)
        return refuse(400, "InvalidChunkSizeError",
                      fmt::format("A body may have at most {} chunks; send larger ones", kMaxChunks));
      parts.push_back({total, reader.position()});
    }
    crypto::Hasher hasher(crypto::HashKind::kSha256);
    for (std::int64_t rest = head->size; rest > 0;) {
      const auto piece = reader.next(rest);
      if (!piece) return tl::unexpected(piece.error());
      if (chain) hasher.add(*piece);
      each(*piece);
      rest -= static_cast<std::int64_t>(piece->size());
    }
    if (chain && !chain->accept_chunk(hasher.finish(), head->signature)) return wrong_signature();
    if (head->size == 0) break;
    total += head->size;
    const std::int64_t end_at = reader.position();
    const auto end = reader.line();
    if (!end) return tl::unexpected(end.error());
    if (!end->empty())
      return incomplete(fmt::format("the chunk that ends at byte {} has no line end", end_at));
  }
  ChunkedBody body;
  if (options.trailers) {
    if (const auto read = read_trailers(reader, chain ? &*chain : nullptr, body); !read)
      return tl::unexpected(read.error());
  } else if (!reader.at_end()) {
    const auto end = reader.line();
    if (!end) return tl::unexpected(end.error());
    if (!end->empty()) return incomplete("there are trailers, which x-amz-content-sha256 does not announce");
  }
  if (!reader.at_end()) return incomplete(fmt::format("{} bytes follow the last chunk", reader.left()));
  if (total != options.decoded_bytes)
    return refuse(
        400, "IncompleteBody",
        fmt::format("You did not provide the number of bytes specified by the x-amz-decoded-content-length "
                    "HTTP header: {} instead of {}",
                    total, options.decoded_bytes));
  if (parts.empty()) {
    body.content = bytes_source(std::string_view());
  } else if (parts.size() == 1) {
    body.content = slice_source(encoded, parts.front().offset, total);
  } else {
    body.content = std::make_shared<PartsSource>(encoded, std::move(parts), total);
  }
  return body;
}

std::string without_aws_chunked(std::string_view content_encoding) {
  std::string result;
  while (!content_encoding.empty()) {
    const std::size_t comma = content_encoding.find(',');
    const std::string_view part = trimmed(content_encoding.substr(0, comma));
    content_encoding =
        comma == std::string_view::npos ? std::string_view() : content_encoding.substr(comma + 1);
    if (part.empty() || same_ignoring_case(part, "aws-chunked")) continue;
    if (!result.empty()) result += ", ";
    result += part;
  }
  return result;
}

}  // namespace terrapin::api
