#include <nlohmann/json.hpp>

#include "api/sagemaker/operations/answers.h"
#include "api/sagemaker/operations/operations.h"

namespace terrapin::api {
namespace {

using nlohmann::json;

AwsResult<void> check_workforce_served(const json& input) {
  if (input.contains("WorkforceVpcConfig")) {
    return invalid(
        "WorkforceVpcConfig is not served: there are no private clouds here. To say where workers may come "
        "from use SourceIpConfig.");
  }
  if (input.contains("IpAddressType")) {
    return invalid(
        "IpAddressType is not served: the server listens on the addresses that `terrapin serve --listen` "
        "names. Leave it out; SourceIpConfig takes IPv4 and IPv6 ranges.");
  }
  return {};
}

labeling::OpenIdProvider openid_provider(const json& config) {
  labeling::OpenIdProvider provider;
  provider.client_id = config.at("ClientId");
  provider.client_secret = config.at("ClientSecret");
  provider.issuer = config.at("Issuer");
  provider.authorization_endpoint = config.at("AuthorizationEndpoint");
  provider.token_endpoint = config.at("TokenEndpoint");
  provider.user_info_endpoint = config.at("UserInfoEndpoint");
  provider.logout_endpoint = config.at("LogoutEndpoint");
  provider.jwks_uri = config.at("JwksUri");
  provider.scope = text_member(config, "Scope");
  provider.extra_parameters =
      config.value("AuthenticationRequestExtraParams", std::map<std::string, std::string>());
  return provider;
}

// Without the client's secret.
json workforce_json(const OperationContext& context, const labeling::Workforce& workforce) {
  json result{{"WorkforceName", workforce.name},
              {"WorkforceArn", context.workforces.workforce_arn(workforce.name)},
              {"CreateDate", epoch_seconds(workforce.created)},
              {"LastUpdatedDate", epoch_seconds(workforce.modified)},
              {"Status", "Active"},
              {"SourceIpConfig", {{"Cidrs", workforce.cidrs}}}};
  if (!context.portal_address.empty()) result["SubDomain"] = context.portal_address;
  if (workforce.pool) {
    result["CognitoConfig"] = {{"UserPool", workforce.pool->user_pool},
                               {"ClientId", workforce.pool->client_id}};
  }
  if (workforce.openid) {
    const labeling::OpenIdProvider& provider = *workforce.openid;
    json& config = result["OidcConfig"];
    config = {{"ClientId", provider.client_id},
              {"Issuer", provider.issuer},
              {"AuthorizationEndpoint", provider.authorization_endpoint},
              {"TokenEndpoint", provider.token_endpoint},
              {"UserInfoEndpoint", provider.user_info_endpoint},
              {"LogoutEndpoint", provider.logout_endpoint},
              {"JwksUri", provider.jwks_uri}};
    if (!provider.scope.empty()) config["Scope"] = provider.scope;
    if (!provider.extra_parameters.empty()) {
      config["AuthenticationRequestExtraParams"] = provider.extra_parameters;
    }
  }
  return result;
}

std::string workforce_named(const OperationContext& context, const std::string& name) {
  return fmt::format("workforce \"{}\"", context.workforces.workforce_arn(name));
}

}  // namespace

AwsResult<json> create_workforce(const OperationContext& context, const json& input) {
  TERRAPIN_AWS_TRY_STATUS(check_workforce_served(input));
  TERRAPIN_AWS_TRY(const labeling::Tags tags, tags_of(input.value("Tags", json::array())));
  const bool cognito = input.contains("CognitoConfig");
  if (cognito == input.contains("OidcConfig")) {
    return invalid(
        "Give exactly one of CognitoConfig (workers have accounts of this server) and OidcConfig (they "
        "sign in at a provider of yours); the request has {}.",
        cognito ? "both" : "neither");
  }
  labeling::Workforce workforce;
  workforce.name = input.at("WorkforceName");
  if (cognito) {
    workforce.pool =
        labeling::AccountPool{input["CognitoConfig"].at("UserPool"), input["CognitoConfig"].at("ClientId")};
  } else {
    workforce.openid = openid_provider(input["OidcConfig"]);
  }
  if (input.contains("SourceIpConfig")) workforce.cidrs = input["SourceIpConfig"].at("Cidrs");
  TERRAPIN_AWS_TRY(const auto made, told(context, context.workforces.create_workforce(workforce)));
  const std::string arn = context.workforces.workforce_arn(made.name);
  if (!tags.empty()) {
    TERRAPIN_AWS_TRY_STATUS(told(context, context.workforces.add_tags(arn, tags)));
  }
  return json{{"WorkforceArn", arn}};
}

AwsResult<json> describe_workforce(const OperationContext& context, const json& input) {
  const std::string name = input.at("WorkforceName");
  TERRAPIN_AWS_TRY(const auto workforce, told(context, context.workforces.workforce(name),
                                              "ValidationException", workforce_named(context, name)));
  return json{{"Workforce", workforce_json(context, workforce)}};
}

AwsResult<json> list_workforces(const OperationContext& context, const json& input) {
  TERRAPIN_AWS_TRY(const PageRequest page, page_request(context, input));
  TERRAPIN_AWS_TRY(const auto found,
                   told(context, context.workforces.list_workforces(workforce_filter(input, page))));
  json list = json::array();
  for (const labeling::Workforce& workforce : found.items) list.push_back(workforce_json(context, workforce));
  json answer{{"Workforces", std::move(list)}};
  if (found.more) answer["NextToken"] = next_token(context, input, page.offset + page.limit);
  return answer;
}

AwsResult<json> update_workforce(const OperationContext& context, const json& input) {
  TERRAPIN_AWS_TRY_STATUS(check_workforce_served(input));
  const std::string name = input.at("WorkforceName");
  std::optional<labeling::OpenIdProvider> provider;
  if (input.contains("OidcConfig")) provider = openid_provider(input["OidcConfig"]);
  std::optional<std::vector<std::string>> cidrs;
  if (input.contains("SourceIpConfig"))
    cidrs = input["SourceIpConfig"].at("Cidrs").get<std::vector<std::string>>();
  auto changed = context.workforces.update_workforce(name, provider, cidrs);
  if (!changed && changed.error().code == ErrorCode::kConflict) {
    return refuse("ConflictException", "{}", changed.error().message);
  }
  TERRAPIN_AWS_TRY(const auto workforce,
                   told(context, std::move(changed), "ValidationException", workforce_named(context, name)));
  return json{{"Workforce", workforce_json(context, workforce)}};
}

AwsResult<json> delete_workforce(const OperationContext& context, const json& input) {
  const std::string name = input.at("WorkforceName");
  TERRAPIN_AWS_TRY_STATUS(told(context, context.workforces.delete_workforce(name), "ValidationException",
                               workforce_named(context, name)));
  return json::object();
}

}  // namespace terrapin::api
