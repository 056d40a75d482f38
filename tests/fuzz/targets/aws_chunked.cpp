// The framing of uploads. What was decoded and framed anew decodes to the same.
#include "api/aws_chunked.h"

#include <algorithm>

#include "fuzz/fuzz_target.h"

using namespace terrapin;

TERRAPIN_FUZZ_TARGET(aws_chunked) {
  const int choice = take_byte(input);
  api::ChunkedOptions options;
  options.trailers = (choice & 1) != 0;
  options.decoded_bytes = take_byte(input) | (take_byte(input) << 8);
  if ((choice & 2) != 0) {
    options.signing = api::ChunkSigning{
        Bytes(32, 7), {"20130524", "us-east-1", "s3"}, "20130524T000000Z", std::string(64, 'a')};
  }
  Bytes heard;
  const auto hear = [&](std::span<const std::uint8_t> bytes) {
    heard.insert(heard.end(), bytes.begin(), bytes.end());
  };
  const auto decoded = api::decode_aws_chunked(bytes_source(text_of(input)), options, hear);
  require(heard.size() <= input.size(), "nothing is made up");
  if (!decoded) return;
  require(decoded->content->size() == options.decoded_bytes, "the length is the announced one");
  require(*read_all(*decoded->content, 1 << 20) == heard, "all decoded bytes were heard");

  std::string framed;
  if (!heard.empty()) {
    framed = fmt::format("{:x}\r\n", heard.size()) + std::string(heard.begin(), heard.end()) + "\r\n";
  }
  framed += "0\r\n\r\n";
  options.signing.reset();
  options.trailers = false;
  const auto again = api::decode_aws_chunked(bytes_source(std::string_view(framed)), options, [](auto) {});
  require(again.has_value(), "our own framing is understood");
  require(*read_all(*again->content, 1 << 20) == heard, "and gives the same bytes");
}
