// The body encoding "aws-chunked" of S3 clients: chunks with or without a signature each, and trailers.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "api/exchange.h"
#include "base/byte_source.h"
#include "storage/sigv4_signing.h"

namespace terrapin::api {

struct ChunkSigning {
  Bytes key;
  storage::CredentialScope scope;
  std::string time;  // of the request, basic form
  std::string seed;  // its signature
};

struct ChunkedOptions {
  std::optional<ChunkSigning> signing;  // nullopt: chunks carry no signatures
  bool trailers = false;
  std::int64_t decoded_bytes = 0;  // x-amz-decoded-content-length
};

struct ChunkedBody {
  // The decoded bytes where they lie in `encoded`: nothing is copied.
  ByteSourcePtr content;
  std::vector<std::pair<std::string, std::string>> trailers;  // names lower case, without the signature
};

// Reads `encoded` once from end to end; `each` gets the decoded bytes in order, before the signature of their
// chunk is checked. Refusals: IncompleteBody for bytes that end early, go on after the end or do not follow
// the format, InvalidChunkSizeError, MalformedTrailerError, SignatureDoesNotMatch. AWS's rule that only the
// last chunk may be shorter than 8,192 bytes holds for signed chunks; at most 2^20 chunks are read.
AwsResult<ChunkedBody> decode_aws_chunked(const ByteSourcePtr& encoded, const ChunkedOptions& options,
                                          const std::function<void(std::span<const std::uint8_t>)>& each);

// "aws-chunked,gzip" -> "gzip": the encoding of the object itself.
std::string without_aws_chunked(std::string_view content_encoding);

}  // namespace terrapin::api
