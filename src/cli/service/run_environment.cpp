#include "cli/service/run_environment.h"

#include <algorithm>
#include <map>
#include <set>

#include "api/aws_hosts.h"
#include "base/files.h"
#include "base/text.h"

namespace terrapin::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kLargestBundle = 16 << 20;
constexpr const char* kBundleNames[] = {"AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
                                        "SSL_CERT_FILE"};
constexpr const char* kSystemBundles[] = {"/etc/ssl/certs/ca-certificates.crt",
                                          "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"};
// Other credentials than the run's, and other addresses than those it answers for.
constexpr const char* kRemoved[] = {"AWS_PROFILE",
                                    "AWS_DEFAULT_PROFILE",
                                    "AWS_SESSION_TOKEN",
                                    "AWS_SECURITY_TOKEN",
                                    "AWS_CREDENTIAL_EXPIRATION",
                                    "AWS_ROLE_ARN",
                                    "AWS_ROLE_SESSION_NAME",
                                    "AWS_WEB_IDENTITY_TOKEN_FILE",
                                    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                                    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                                    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
                                    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
                                    "AWS_ACCOUNT_ID",
                                    "AWS_ACCOUNT_ID_ENDPOINT_MODE",
                                    "AWS_USE_FIPS_ENDPOINT",
                                    "AWS_USE_DUALSTACK_ENDPOINT",
                                    "AWS_SIGV4A_SIGNING_REGION_SET"};

bool is_removed(const std::string& name) {
  if (name == "AWS_ENDPOINT_URL" || name.starts_with("AWS_ENDPOINT_URL_")) return true;
  return std::find(std::begin(kRemoved), std::end(kRemoved), name) != std::end(kRemoved);
}

// In the order of the names: the result does not depend on the shell's.
std::map<std::string, std::string> by_name(const std::vector<std::string>& variables) {
  std::map<std::string, std::string> all;
  for (const std::string& variable : variables) {
    const std::size_t equals = variable.find('=');
    if (equals != std::string::npos) all.emplace(variable.substr(0, equals), variable.substr(equals + 1));
  }
  return all;
}

// An entry of NO_PROXY covers its name and those below it.
bool covers_aws(std::string entry) {
  entry = lower_case(std::move(entry));
  if (entry == "*") return true;
  while (entry.starts_with('*') || entry.starts_with('.')) entry.erase(0, 1);
  entry = entry.substr(0, entry.find(':'));
  const std::string domain = std::string(".") + api::kAwsDomain;
  return !entry.empty() && (domain.ends_with("." + entry) || ("." + entry).ends_with(domain));
}

}  // namespace

std::string without_aws_names(const std::string& no_proxy) {
  std::vector<std::string> kept;
  std::string entry;
  for (const char c : no_proxy + ",") {
    if (c != ',' && c != ' ') {
      entry += c;
      continue;
    }
    if (!entry.empty() && !covers_aws(entry)) kept.push_back(entry);
    entry.clear();
  }
  for (const char* own : {"localhost", "127.0.0.1", "::1"})
    if (std::find(kept.begin(), kept.end(), own) == kept.end()) kept.emplace_back(own);
  return fmt::format("{}", fmt::join(kept, ","));
}

Result<std::string> trusted_certificates(const std::vector<std::string>& inherited) {
  const auto variables = by_name(inherited);
  std::set<std::string> seen;
  std::string all;
  for (const char* name : kBundleNames) {
    const auto named = variables.find(name);
    if (named == variables.end() || named->second.empty() || !seen.insert(named->second).second) continue;
    auto text = read_text_file(named->second, kLargestBundle);
    if (!text) return with_context(std::move(text.error()), name);
    all += *text + "\n";
  }
  if (!seen.empty()) return all;
  for (const char* path : kSystemBundles) {
    auto text = read_text_file(path, kLargestBundle);
    if (text) return *text + "\n";
  }
  return std::string();
}

std::vector<std::string> run_environment(const std::vector<std::string>& inherited,
                                         const RunEnvironment& own) {
  std::map<std::string, std::string> all = by_name(inherited);
  std::erase_if(all, [](const auto& variable) { return is_removed(variable.first); });
  // Programs look at one spelling or the other; of two that differ most take the lower one.
  const std::string no_proxy =
      without_aws_names(all.contains("no_proxy") ? all["no_proxy"] : all["NO_PROXY"]);
  all["NO_PROXY"] = all["no_proxy"] = no_proxy;
  all["HTTPS_PROXY"] = all["https_proxy"] = own.proxy_url;
  for (const char* name : kBundleNames) all[name] = own.bundle.string();
  all["NODE_EXTRA_CA_CERTS"] = own.authority.string();
  all["AWS_ACCESS_KEY_ID"] = own.key_id;
  all["AWS_SECRET_ACCESS_KEY"] = own.secret;
  all["AWS_REGION"] = all["AWS_DEFAULT_REGION"] = own.region;
  all["AWS_EC2_METADATA_DISABLED"] = "true";
  all["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "true";
  std::vector<std::string> result;
  for (const auto& [name, value] : all) result.push_back(name + "=" + value);
  return result;
}

}  // namespace terrapin::cli
