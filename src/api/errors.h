// How each protocol tells a failure.
#pragma once

#include <string>
#include <string_view>

#include "api/exchange.h"
#include "base/result.h"
#include "http/message.h"

namespace terrapin::api {

// S3: REST with XML. JSON 1.1: POST / with X-Amz-Target. REST with JSON: SageMaker's runtime. Query: STS and
// IAM.
enum class Protocol { kS3, kJson, kRestJson, kQuery };

// <Error><Code/><Message/>details<Resource/><RequestId/></Error>
http::Response s3_error(const AwsError& error, const std::string& request_id);
// {"__type": code, "message": text}; the member is "Message" for the codes whose shape in SageMaker's model
// spells it so (ResourceNotFound, ResourceInUse, ResourceLimitExceeded, ConflictException).
http::Response json_error(const AwsError& error, const std::string& request_id);
// x-amzn-ErrorType: code, {"message": text}
http::Response rest_json_error(const AwsError& error, const std::string& request_id);
// <ErrorResponse><Error><Type/><Code/><Message/></Error><RequestId/></ErrorResponse>
http::Response query_error(const AwsError& error, const std::string& request_id,
                           const char* name_space = "https://sts.amazonaws.com/doc/2011-06-15/");
http::Response error_answer(Protocol protocol, const AwsError& error, const std::string& request_id);

// The header that names the request to the client, and its value in that protocol's form.
void set_request_id(Protocol protocol, http::Response& response, const std::string& request_id);
// 16 upper-case hexadecimal digits for S3, a UUID for the others.
std::string new_request_id(Protocol protocol);

// What a request is told whose data the disk has no room for.
AwsError no_space(Protocol protocol);
// A failure of ours that no service has words for: kNoSpace, kIo and kInternal are logged with the request's
// id and told without detail.
AwsError internal_failure(Protocol protocol, const Error& error, const std::string& request_id);

}  // namespace terrapin::api
