#include "api/s3/s3_error.h"

#include <algorithm>
#include <iterator>

#include "api/s3/s3_xml.h"

namespace terrapin::api::s3 {
namespace {

struct Entry {
  std::string_view code;
  int status;
  std::string_view message;
};

// AWS's sentences.
constexpr Entry kCatalogue[] = {
    {"AccessControlListNotSupported", 400, "The bucket does not allow ACLs"},
    {"AccessDenied", 403, "Access Denied"},
    {"AccessForbidden", 403,
     "CORSResponse: This CORS request is not allowed. This is usually because the "
     "evaluation of Origin, request method / Access-Control-Request-Method or "
     "Access-Control-Request-Headers are not whitelisted by the resource's CORS spec."},
    {"BadDigest", 400, "The Content-MD5 you specified did not match what we received."},
    {"BadRequest", 400, "Insufficient information. Origin request header needed."},
    {"BucketAlreadyExists", 409,
     "The requested bucket name is not available. The bucket namespace is shared by "
     "all users of the system. Please select a different name and try again."},
    {"BucketAlreadyOwnedByYou", 409,
     "Your previous request to create the named bucket succeeded and you already own it."},
    {"BucketNotEmpty", 409, "The bucket you tried to delete is not empty"},
    {"EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed size"},
    {"EntityTooSmall", 400, "Your proposed upload is smaller than the minimum allowed size"},
    {"IllegalLocationConstraintException", 400,
     "The location constraint is incompatible for the region specific endpoint this request was sent to."},
    {"InsufficientStorage", 507, "The disk is full."},
    {"InternalError", 500, "We encountered an internal error. Please try again."},
    {"InvalidArgument", 400, "Invalid Argument"},
    {"InvalidBucketName", 400, "The specified bucket is not valid."},
    {"InvalidPart", 400,
     "One or more of the specified parts could not be found.  The part may not have been uploaded, or the "
     "specified entity tag may not match the part's entity tag."},
    {"InvalidPartNumber", 416, "The requested partnumber is not satisfiable"},
    {"InvalidPartOrder", 400,
     "The list of parts was not in ascending order. Parts must be ordered by part number."},
    {"InvalidRange", 416, "The requested range is not satisfiable"},
    {"InvalidRequest", 400, "Invalid Request"},
    {"InvalidStorageClass", 400, "The storage class you specified is not valid"},
    {"InvalidTag", 400, "The tag provided was not a valid tag."},
    {"InvalidURI", 400, "Couldn't parse the specified URI."},
    {"KeyTooLongError", 400, "Your key is too long"},
    {"MalformedXML", 400,
     "The XML you provided was not well-formed or did not validate against our published schema"},
    {"MaxMessageLengthExceeded", 400, "Your request was too big."},
    {"MetadataTooLarge", 400, "Your metadata headers exceed the maximum allowed metadata size"},
    {"MethodNotAllowed", 405, "The specified method is not allowed against this resource."},
    {"NoSuchBucket", 404, "The specified bucket does not exist"},
    {"NoSuchBucketPolicy", 404, "The bucket policy does not exist"},
    {"NoSuchCORSConfiguration", 404, "The CORS configuration does not exist"},
    {"NoSuchKey", 404, "The specified key does not exist."},
    {"NoSuchLifecycleConfiguration", 404, "The lifecycle configuration does not exist"},
    {"NoSuchTagSet", 404, "The TagSet does not exist"},
    {"NoSuchUpload", 404,
     "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted "
     "or "
     "completed."},
    {"NoSuchWebsiteConfiguration", 404, "The specified bucket does not have a website configuration"},
    {"NotImplemented", 501, "A header you provided implies functionality that is not implemented"},
    {"ObjectLockConfigurationNotFoundError", 404, "Object Lock configuration does not exist for this bucket"},
    {"PreconditionFailed", 412, "At least one of the pre-conditions you specified did not hold"},
    {"ReplicationConfigurationNotFoundError", 404, "The replication configuration was not found"},
    {"ServerSideEncryptionConfigurationNotFoundError", 404,
     "The server side encryption configuration was not found"},
};

}  // namespace

tl::unexpected<S3Error> refuse(std::string_view code, Fields fields) {
  const auto* entry = std::find_if(std::begin(kCatalogue), std::end(kCatalogue),
                                   [&](const Entry& candidate) { return candidate.code == code; });
  if (entry == std::end(kCatalogue)) return refuse("InternalError");
  return tl::unexpected<S3Error>(
      S3Error{entry->status, std::string(code), std::string(entry->message), std::move(fields), {}});
}

tl::unexpected<S3Error> refuse_saying(std::string_view code, std::string message, Fields fields) {
  auto refused = refuse(code, std::move(fields));
  refused.value().message = std::move(message);
  return refused;
}

tl::unexpected<S3Error> not_served(std::string_view what, std::string_view instead) {
  return refuse_saying("NotImplemented",
                       fmt::format("{} is not served here{}{}", what, instead.empty() ? "" : ": ", instead));
}

http::Response error_response(const S3Error& error, const std::string& resource,
                              const std::string& request_id, bool head) {
  http::Response response;
  response.status = error.status;
  response.headers = error.headers;
  if (head || error.status == 304) return response;
  XmlWriter xml;
  xml.open("Error");
  xml.element("Code", error.code);
  xml.element("Message", error.message);
  bool has_resource = false;
  for (const auto& [name, value] : error.fields) {
    xml.element(name, value);
    has_resource = has_resource || name == "Resource";
  }
  if (!has_resource) xml.element("Resource", resource);
  xml.element("RequestId", request_id);
  xml.close();
  response.headers.set("Content-Type", "application/xml");
  const std::string text = xml.take();
  response.body.assign(text.begin(), text.end());
  return response;
}

}  // namespace terrapin::api::s3
