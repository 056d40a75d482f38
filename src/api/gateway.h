// The one door of the AWS protocols: checks who signed, removes what belongs to the transfer, and hands the
// request to the service that the signature is for.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "api/errors.h"
#include "api/exchange.h"
#include "api/sigv4.h"
#include "http/message.h"

namespace terrapin::api {

inline constexpr std::int64_t kMaxUnprovedBytes = 64 << 10;    // bodies of requests that prove nothing
inline constexpr std::int64_t kMaxJsonBytes = 16 << 20;        // and of those to the services that are not S3
inline constexpr std::int64_t kMaxInvocationBytes = 64 << 20;  // but for photos to endpoints

struct GatewayOptions {
  Place place;
  KeyFinder find_key;  // AccessKeys::find
  const Clock* clock = &system_clock();
  // Host names (without port) whose subdomains name buckets: "localhost" makes photos.localhost the bucket
  // photos. Empty: paths only.
  std::vector<std::string> bucket_hosts = {};
};

// Constant once the server has started; then any thread.
class Gateway {
 public:
  using Service = std::function<http::Response(const Exchange&)>;

  explicit Gateway(GatewayOptions options);

  // `name`: "s3"; "sagemaker" and "logs" (X-Amz-Target); "sagemaker-runtime" (/endpoints/..., signed for
  // "sagemaker"). A later service of the same name replaces the earlier. STS and IAM are there from the
  // start.
  void add(std::string name, Service service);

  // What a request's head alone allows of its body, before any of it is read (http::ServerOptions::admit).
  // S3: everything, if the signature, which covers the head, is right and the key may use S3. The others sign
  // their body too: what their requests may have (kMaxJsonBytes, kMaxInvocationBytes), if there is
  // a key of that id. All else: kMaxUnprovedBytes, and handle()'s refusal for more.
  http::Admission admit(const http::Request& head) const;

  // An AWS client signed it: it is meant for handle() whatever its path, so that an object or a bucket may
  // have the name of a route ("metrics", "_/photo.jpg"). Quick; looks at the head alone, verifies nothing.
  static bool claims(const http::Request& head);

  // The handler of the server's fallback route: Router::set_fallback([&](const auto& r) { return
  // gateway.handle(r); }, Gateway::claims). Every service gets only requests whose signature and body are
  // verified and whose key has a scope for it ("invoke" keys: sagemaker-runtime and sts); requests without a
  // signature are refused, except OPTIONS, which S3 answers by its CORS rules. Every answer names its
  // request. Exceptions of services pass through.
  Result<http::Response> handle(const http::Request& request) const;

 private:
  struct Destination;
  std::string host_bucket(const http::Request& request) const;
  AwsResult<VerifiedSignature> authorize(const http::Request& request, const Destination& to) const;
  Destination destination(const http::Request& request, const SignatureClaim& claim) const;
  http::Response unserved(const http::Request& request, const Destination& to,
                          const std::string& request_id) const;
  std::string served_names() const;

  GatewayOptions options_;
  std::map<std::string, Service> services_;
};

}  // namespace terrapin::api
