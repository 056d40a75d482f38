#include "api/iam.h"

#include <algorithm>
#include <cctype>
#include <cstring>

#include "api/errors.h"
#include "api/query_call.h"
#include "api/sts.h"
#include "base/markup.h"
#include "base/percent.h"
#include "crypto/hash.h"

namespace terrapin::api {
namespace {

constexpr const char* kVersion = "2010-05-08";
constexpr const char* kNamespace = "https://iam.amazonaws.com/doc/2010-05-08/";
constexpr std::size_t kLongestRoleName = 64;

// The operations of that version, each followed by a space.
constexpr std::string_view kOperations =
    "AcceptDelegationRequest AcquireRole AddClientIDToOpenIDConnectProvider AddRoleToInstanceProfile "
    "AddUserToGroup AssociateDelegationRequest AttachGroupPolicy AttachRolePolicy AttachUserPolicy "
    "ChangePassword CreateAccessKey CreateAccountAlias CreateDelegationRequest CreateGroup "
    "CreateInstanceProfile CreateLoginProfile CreateOpenIDConnectProvider CreatePolicy "
    "CreatePolicyVersion CreateRole CreateSAMLProvider CreateServiceLinkedRole "
    "CreateServiceSpecificCredential CreateUser CreateVirtualMFADevice DeactivateMFADevice "
    "DeleteAccessKey DeleteAccountAlias DeleteAccountPasswordPolicy DeleteGroup DeleteGroupPolicy "
    "DeleteInstanceProfile DeleteLoginProfile DeleteOpenIDConnectProvider DeletePolicy "
    "DeletePolicyVersion DeleteRole DeleteRolePermissionsBoundary DeleteRolePolicy DeleteSAMLProvider "
    "DeleteSSHPublicKey DeleteServerCertificate DeleteServiceLinkedRole "
    "DeleteServiceSpecificCredential DeleteSigningCertificate DeleteUser "
    "DeleteUserPermissionsBoundary DeleteUserPolicy DeleteVirtualMFADevice DetachGroupPolicy "
    "DetachRolePolicy DetachUserPolicy DisableOrganizationsRootCredentialsManagement "
    "DisableOrganizationsRootSessions DisableOutboundWebIdentityFederation EnableMFADevice "
    "EnableOrganizationsRootCredentialsManagement EnableOrganizationsRootSessions "
    "EnableOutboundWebIdentityFederation GenerateCredentialReport GenerateOrganizationsAccessReport "
    "GenerateServiceLastAccessedDetails GetAccessKeyLastUsed GetAccountAuthorizationDetails "
    "GetAccountPasswordPolicy GetAccountProperties GetAccountSummary GetContextKeysForCustomPolicy "
    "GetContextKeysForPrincipalPolicy GetCredentialReport GetDelegationRequest GetGroup "
    "GetGroupPolicy GetHumanReadableSummary GetInstanceProfile GetLoginProfile GetMFADevice "
    "GetOpenIDConnectProvider GetOrganizationsAccessReport GetOutboundWebIdentityFederationInfo "
    "GetPolicy GetPolicyVersion GetRole GetRolePolicy GetRoleTemplateVersion GetSAMLProvider "
    "GetSSHPublicKey GetServerCertificate GetServiceLastAccessedDetails "
    "GetServiceLastAccessedDetailsWithEntities GetServiceLinkedRoleDeletionStatus GetUser "
    "GetUserPolicy ListAccessKeys ListAccountAliases ListAttachedGroupPolicies "
    "ListAttachedRolePolicies ListAttachedUserPolicies ListDelegationRequests ListEntitiesForPolicy "
    "ListGroupPolicies ListGroups ListGroupsForUser ListInstanceProfileTags ListInstanceProfiles "
    "ListInstanceProfilesForRole ListMFADeviceTags ListMFADevices ListOpenIDConnectProviderTags "
    "ListOpenIDConnectProviders ListOrganizationsFeatures ListPolicies "
    "ListPoliciesGrantingServiceAccess ListPolicyTags ListPolicyVersions ListRolePolicies "
    "ListRoleTags ListRoles ListSAMLProviderTags ListSAMLProviders ListSSHPublicKeys "
    "ListServerCertificateTags ListServerCertificates ListServiceSpecificCredentials "
    "ListSigningCertificates ListUserPolicies ListUserTags ListUsers ListVirtualMFADevices "
    "PutAccountProperties PutGroupPolicy PutRolePermissionsBoundary PutRolePolicy "
    "PutUserPermissionsBoundary PutUserPolicy RejectDelegationRequest "
    "RemoveClientIDFromOpenIDConnectProvider RemoveRoleFromInstanceProfile RemoveUserFromGroup "
    "ResetServiceSpecificCredential ResyncMFADevice SendDelegationToken SetDefaultPolicyVersion "
    "SetSecurityTokenServicePreferences SimulateCustomPolicy SimulatePrincipalPolicy "
    "TagInstanceProfile TagMFADevice TagOpenIDConnectProvider TagPolicy TagRole TagSAMLProvider "
    "TagServerCertificate TagUser UntagInstanceProfile UntagMFADevice UntagOpenIDConnectProvider "
    "UntagPolicy UntagRole UntagSAMLProvider UntagServerCertificate UntagUser UpdateAccessKey "
    "UpdateAccountPasswordPolicy UpdateAssumeRolePolicy UpdateDelegationRequest UpdateGroup "
    "UpdateLoginProfile UpdateOpenIDConnectProviderThumbprint UpdateRole UpdateRoleDescription "
    "UpdateSAMLProvider UpdateSSHPublicKey UpdateServerCertificate UpdateServiceSpecificCredential "
    "UpdateSigningCertificate UpdateUser UploadSSHPublicKey UploadServerCertificate "
    "UploadSigningCertificate ";

bool is_operation(const std::string& action) {
  return action.find(' ') == std::string::npos &&
         (" " + std::string(kOperations)).find(" " + action + " ") != std::string::npos;
}

// IAM's own sentences.
std::string broken_rules(const std::optional<std::string>& name) {
  std::vector<std::string> rules;
  const auto allowed = [](unsigned char c) {
    return std::isalnum(c) != 0 || (c != 0 && std::strchr("_+=,.@-", c) != nullptr);
  };
  const std::string path = "at 'roleName' failed to satisfy constraint: Member must ";
  if (!name) {
    rules.push_back("Value null " + path + "not be null");
  } else {
    const std::string start = "Value '" + *name + "' " + path;
    if (!std::all_of(name->begin(), name->end(), allowed) || name->empty())
      rules.push_back(start + "satisfy regular expression pattern: [\\w+=,.@-]+");
    if (name->size() > kLongestRoleName)
      rules.push_back(start + fmt::format("have length less than or equal to {}", kLongestRoleName));
    if (name->empty()) rules.push_back(start + "have length greater than or equal to 1");
  }
  if (rules.empty()) return "";
  return fmt::format("{} validation error{} detected: {}", rules.size(), rules.size() > 1 ? "s" : "",
                     fmt::join(rules, "; "));
}

// As AWS's: 21 letters and digits, the same for the same role.
std::string role_id(const Place& place, const std::string& name) {
  static constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  std::string id = "AROA";
  const Bytes digest = crypto::hash(crypto::HashKind::kSha256, place.account_id + "/" + name);
  for (std::size_t i = 0; id.size() < 21; ++i) id += kLetters[digest[i] & 31];
  return id;
}

std::string role_xml(const Place& place, const std::string& name, const std::string& request_id) {
  constexpr const char* kPolicy =
      R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"sagemaker.amazonaws.com"},"Action":"sts:AssumeRole"}]})";
  return fmt::format(
      "<GetRoleResponse xmlns=\"{}\"><GetRoleResult><Role><Path>/</Path><RoleName>{}</RoleName>"
      "<RoleId>{}</RoleId><Arn>arn:aws:iam::{}:role/{}</Arn><CreateDate>2017-11-29T00:00:00Z</CreateDate>"
      "<AssumeRolePolicyDocument>{}</AssumeRolePolicyDocument><MaxSessionDuration>3600</MaxSessionDuration>"
      "</Role></GetRoleResult><ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata></"
      "GetRoleResponse>",
      kNamespace, markup_text(name), role_id(place, name), markup_text(place.account_id), markup_text(name),
      percent_encode(kPolicy), request_id);
}

}  // namespace

http::Response answer_iam(const Exchange& exchange, const Place& place) {
  const auto refuse = [&](const AwsError& error) {
    return query_error(error, exchange.request_id, kNamespace);
  };
  const auto call = read_query_call(exchange);
  if (!call) return refuse(call.error());
  if (call->version != kVersion || !is_operation(call->action))
    return refuse(invalid_action(*call, fmt::format("GetRole for version {}", kVersion)));
  if (!exchange.caller)
    return refuse({403, "MissingAuthenticationToken", "Missing Authentication Token", {}});
  if (call->action != "GetRole")
    return refuse({403,
                   "AccessDenied",
                   fmt::format("User: {} is not authorized to perform: iam:{}: of IAM only GetRole is served",
                               caller_arn(place, *exchange.caller), call->action),
                   {}});
  const auto name = call->find("RoleName");
  const std::string broken = broken_rules(name);
  if (!broken.empty()) return refuse({400, "ValidationError", broken, {}});
  auto response = http::Response::text(200, "text/xml", role_xml(place, *name, exchange.request_id));
  set_request_id(Protocol::kQuery, response, exchange.request_id);
  return response;
}

}  // namespace terrapin::api
