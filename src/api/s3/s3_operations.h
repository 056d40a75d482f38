// One function per operation; s3_service.cpp routes to them.
#pragma once

#include "api/s3/s3_call.h"

namespace terrapin::api::s3 {

// The one grant there is: everything to the owner.
void write_access_control(XmlWriter& xml, const Place& place);

S3Result<http::Response> list_buckets(const Call& call);

S3Result<http::Response> create_bucket(const Call& call);
S3Result<http::Response> delete_bucket(const Call& call);
S3Result<http::Response> head_bucket(const Call& call);
S3Result<http::Response> get_bucket_location(const Call& call);
S3Result<http::Response> list_objects(const Call& call);  // both versions
S3Result<http::Response> delete_objects(const Call& call);
// What an unset or fixed setting of a bucket answers; NotImplemented for changes and unknown ones.
S3Result<http::Response> bucket_setting(const Call& call, std::string_view setting);

S3Result<http::Response> put_object(const Call& call);  // and CopyObject
S3Result<http::Response> get_object(const Call& call);
S3Result<http::Response> head_object(const Call& call);
S3Result<http::Response> delete_object(const Call& call);
S3Result<http::Response> get_object_attributes(const Call& call);
S3Result<http::Response> get_object_tagging(const Call& call);
S3Result<http::Response> put_object_tagging(const Call& call);
S3Result<http::Response> delete_object_tagging(const Call& call);
S3Result<http::Response> get_object_acl(const Call& call);
S3Result<http::Response> put_object_acl(const Call& call);

S3Result<http::Response> create_multipart_upload(const Call& call);
S3Result<http::Response> upload_part(const Call& call);  // and UploadPartCopy
S3Result<http::Response> list_parts(const Call& call);
S3Result<http::Response> list_multipart_uploads(const Call& call);
S3Result<http::Response> complete_multipart_upload(const Call& call);
S3Result<http::Response> abort_multipart_upload(const Call& call);

}  // namespace terrapin::api::s3
