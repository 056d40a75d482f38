#include "serving/photo_request.h"

#include <fmt/ranges.h>

#include <array>

#include "http/media_type.h"
#include "serving/record.h"

namespace terrapin::serving {
namespace {

using http::Response;
using imaging::FileType;

struct Offer {
  std::string_view content_type;
  AnswerType answer;
};
// Our preference first: */* gets the mask.
constexpr std::array kOffers{
    Offer{"image/png", AnswerType::kPng},
    Offer{"application/x-protobuf", AnswerType::kRecord},
    Offer{"application/x-recordio-protobuf", AnswerType::kRecord},
    Offer{"application/json", AnswerType::kJson},
};

// kUnknown: any photo.
struct RequestType {
  std::string_view content_type;
  FileType file_type;
};
constexpr std::array kRequestTypes{
    RequestType{"image/jpeg", FileType::kJpeg},
    RequestType{"image/jpg", FileType::kJpeg},  // not registered, but often sent
    RequestType{"image/png", FileType::kPng},
    RequestType{"image/webp", FileType::kWebp},
    RequestType{"application/x-image", FileType::kUnknown},
};
constexpr std::string_view kRequestTypeNames = "image/jpeg, image/png, image/webp, application/x-image";

tl::unexpected<Response> refuse(int status, const std::string& message) {
  return tl::unexpected<Response>(Response::error(status, message));
}

tl::expected<FileType, Response> declared_type(const http::Request& request) {
  const auto field = request.headers.find("Content-Type");
  if (!field) return FileType::kUnknown;
  const auto essence = http::media_type_essence(*field);
  for (const RequestType& type : kRequestTypes) {
    if (essence && *essence == type.content_type) return type.file_type;
  }
  return refuse(415,
                fmt::format("Content-Type '{}' is not served: allowed are {}", *field, kRequestTypeNames));
}

}  // namespace

tl::expected<PhotoRequest, Response> read_photo_request(const http::Request& request, std::int64_t max_pixels,
                                                        int classes) {
  std::array<std::string_view, kOffers.size()> names;
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = kOffers[i].content_type;
  const std::string accept = request.headers.joined("Accept").value_or("");
  const auto chosen = http::negotiate(accept, names);
  if (!chosen) {
    return refuse(406, fmt::format("Accept '{}' allows none of the answers served: {}", accept,
                                   fmt::join(names, ", ")));
  }
  const auto declared = declared_type(request);
  if (!declared) return tl::unexpected<Response>(declared.error());
  if (request.body.empty()) return refuse(400, "the body is empty: send the bytes of one photo");

  const FileType found = imaging::detect_file_type(request.body);
  if (found == FileType::kUnknown) {
    // Said to be a JPEG but without even its first bytes: broken rather than unsupported.
    const bool promised = *declared != FileType::kUnknown;
    return refuse(promised ? 400 : 415, "the body is neither JPEG nor PNG nor WebP");
  }
  if (*declared != FileType::kUnknown && found != *declared) {
    return refuse(415, fmt::format("Content-Type says {} but the body is {}",
                                   imaging::file_type_name(*declared), imaging::file_type_name(found)));
  }

  PhotoRequest result;
  result.answer = kOffers[*chosen].answer;
  result.content_type = kOffers[*chosen].content_type;
  auto info = imaging::read_photo_info(request.body);
  if (!info) {
    auto answer = answer_decode_error(info.error());
    return tl::unexpected<Response>(answer ? *answer : Response::error(400, info.error().message));
  }
  result.photo = *info;
  const imaging::Size size = info->size;
  if (size.width > 0 && size.height > max_pixels / size.width) {
    return refuse(413, fmt::format("the photo has {} x {} pixels: at most {} are allowed", size.width,
                                   size.height, max_pixels));
  }
  if (result.answer == AnswerType::kRecord) {
    if (const auto fits = check_record_size(classes, size); !fits) return refuse(413, fits.error().message);
  }
  return result;
}

Result<Response> answer_decode_error(const Error& error) {
  switch (error.code) {
    case ErrorCode::kUnsupported:
      return Response::error(415, error.message);
    case ErrorCode::kCorrupt:
    case ErrorCode::kInvalidArgument:
      return Response::error(400, error.message);
    case ErrorCode::kTooLarge:
      return Response::error(413, error.message);
    default:
      return tl::unexpected<Error>(error);
  }
}

}  // namespace terrapin::serving
