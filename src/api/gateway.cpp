#include "api/gateway.h"

#include <limits>
#include <set>

#include "api/aws_hosts.h"
#include "api/iam.h"
#include "api/sigv4_body.h"
#include "api/sts.h"
#include "base/text.h"

namespace terrapin::api {
namespace {

bool is_form(const http::Request& request) {
  const auto type = request.headers.find("content-type");
  return request.method == "POST" && request.path == "/" && type &&
         lower_case(std::string(*type)).starts_with("application/x-www-form-urlencoded");
}

// The scope that the signature of a service names.
std::string scope_of(const std::string& service) {
  return service == "sagemaker-runtime" ? "sagemaker" : service;
}

}  // namespace

struct Gateway::Destination {
  std::string service;  // a name as add() takes it
  Protocol protocol = Protocol::kS3;
};

Gateway::Gateway(GatewayOptions options) : options_(std::move(options)) {
  add("sts", [place = options_.place](const Exchange& exchange) { return answer_sts(exchange, place); });
  add("iam", [place = options_.place](const Exchange& exchange) { return answer_iam(exchange, place); });
}

void Gateway::add(std::string name, Service service) {
  services_.insert_or_assign(std::move(name), std::move(service));
}

Gateway::Destination Gateway::destination(const http::Request& request, const SignatureClaim& claim) const {
  const bool has_target = request.headers.find("x-amz-target").has_value();
  const bool invokes = request.path.starts_with("/endpoints/");
  if (claim.service == "s3") return {"s3", Protocol::kS3};
  if (claim.service == "sts" || claim.service == "iam") return {claim.service, Protocol::kQuery};
  if (claim.service == "sagemaker" && invokes && !has_target)
    return {"sagemaker-runtime", Protocol::kRestJson};
  if (claim.service == "sagemaker" || claim.service == "logs") return {claim.service, Protocol::kJson};
  // No signature, or one for a service that is not ours: in whose words the refusal is told.
  if (has_target) return {claim.service, Protocol::kJson};
  if (is_form(request)) return {claim.service.empty() ? "sts" : claim.service, Protocol::kQuery};
  if (claim.service.empty()) return {"s3", Protocol::kS3};
  return {claim.service, Protocol::kS3};
}

std::string Gateway::served_names() const {
  std::set<std::string> names;
  for (const auto& [name, service] : services_) names.insert(scope_of(name));
  return fmt::format("{}", fmt::join(names, ", "));
}

http::Response Gateway::unserved(const http::Request& request, const Destination& to,
                                 const std::string& request_id) const {
  const std::string text =
      fmt::format("The service '{}' is not served here; served are {}.", to.service, served_names());
  AwsError error{400, "UnknownOperationException", text, {}};
  if (to.protocol == Protocol::kS3)
    error = {400, "AuthorizationHeaderMalformed", "The authorization header is malformed; " + text,
             request.path};
  if (to.protocol == Protocol::kQuery) error.code = "InvalidAction";
  return error_answer(to.protocol, error, request_id);
}

std::string Gateway::host_bucket(const http::Request& request) const {
  return bucket_of_host(request.headers.find("host").value_or(""), options_.bucket_hosts);
}

// The signature, and that the key's scope covers the service.
AwsResult<VerifiedSignature> Gateway::authorize(const http::Request& request, const Destination& to) const {
  auto signature = verify_signature(request, to.protocol, scope_of(to.service), options_.place,
                                    options_.find_key, *options_.clock, host_bucket(request));
  if (!signature || signature->key.scope != identity::Scope::kInvoke || to.service == "sagemaker-runtime" ||
      to.service == "sts")
    return signature;
  if (to.protocol == Protocol::kS3)
    return tl::unexpected(AwsError{403, "AccessDenied", "Access Denied", request.path});
  const bool query = to.protocol == Protocol::kQuery;
  return tl::unexpected(
      AwsError{query ? 403 : 400,
               query ? "AccessDenied" : "AccessDeniedException",
               fmt::format("User: {} is not authorized to use {}: the access key has the scope 'invoke'",
                           caller_arn(options_.place, signature->key), to.service),
               {}});
}

bool Gateway::claims(const http::Request& head) {
  const SignatureForm form = signature_claim(head).form;
  return form != SignatureForm::kNone && form != SignatureForm::kOther;
}

http::Admission Gateway::admit(const http::Request& head) const {
  const SignatureClaim claim = signature_claim(head);
  const Destination to = destination(head, claim);
  const std::string request_id = new_request_id(to.protocol);
  if (claim.form != SignatureForm::kNone && !services_.contains(to.service))
    return {kMaxUnprovedBytes, unserved(head, to, request_id)};
  if (to.protocol != Protocol::kS3) {
    const auto key =
        claim.key_id.empty() ? Result<std::optional<identity::AccessKey>>() : options_.find_key(claim.key_id);
    if (key && *key) {
      const std::int64_t limit = to.protocol == Protocol::kRestJson ? kMaxInvocationBytes : kMaxJsonBytes;
      return {limit, error_answer(to.protocol,
                                  {413,
                                   "RequestEntityTooLargeException",
                                   fmt::format("The request's body is over the limit of {} bytes", limit),
                                   {}},
                                  request_id)};
    }
  }
  const auto signature = authorize(head, to);
  if (!signature) return {kMaxUnprovedBytes, error_answer(to.protocol, signature.error(), request_id)};
  return {std::numeric_limits<std::int64_t>::max(), std::nullopt,
          error_answer(to.protocol, no_space(to.protocol), request_id)};
}

Result<http::Response> Gateway::handle(const http::Request& request) const {
  const SignatureClaim claim = signature_claim(request);
  const Destination to = destination(request, claim);
  const std::string request_id = new_request_id(to.protocol);
  const auto refuse = [&](const AwsError& error) { return error_answer(to.protocol, error, request_id); };

  // Browsers ask with the link's whole query, which is signed for another method.
  const bool preflight = request.method == "OPTIONS" && !request.headers.find("authorization");
  const auto service = services_.find(preflight ? "s3" : to.service);
  if (service == services_.end()) {
    // Without any credentials that is what a client must hear of first.
    if (claim.form == SignatureForm::kNone)
      return refuse(verify_signature(request, to.protocol, to.service, options_.place, options_.find_key,
                                     *options_.clock)
                        .error());
    return unserved(request, to, request_id);
  }
  if (preflight) {
    http::Response response = service->second(
        Exchange{request, request.body_source(), "s3", request_id, std::nullopt, {}, host_bucket(request)});
    set_request_id(Protocol::kS3, response, request_id);
    return response;
  }

  auto signature = authorize(request, to);
  if (!signature) return refuse(signature.error());

  VerifiedBody body;
  if (to.protocol == Protocol::kS3) {
    auto verified = verify_body(request, *signature);
    if (!verified) {
      AwsError error = verified.error();
      error.resource = request.path;
      return refuse(error);
    }
    body = std::move(*verified);
  } else {
    // The request outlives the service's answer: its bytes are read where they are.
    body.content = request.spooled ? request.spooled : borrowed_source(request.body);
  }
  http::Response response;
  const auto answer = [&](const http::Request& seen) {
    response =
        service->second(Exchange{seen, std::move(body.content), scope_of(to.service), request_id,
                                 std::move(signature->key), std::move(body.checksums), host_bucket(request)});
  };
  if (to.protocol == Protocol::kS3 && needs_plain_request(request, *signature)) {
    const http::Request plain = plain_request(request, *signature);
    answer(plain);
  } else {
    answer(request);
  }
  set_request_id(to.protocol, response, request_id);
  return response;
}

}  // namespace terrapin::api
