// The environment of a program under `terrapin run`: what makes AWS's clients in it speak to this service and
// changes nothing else. docs/formats/run.md lists it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace terrapin::cli {

struct RunEnvironment {
  std::string proxy_url;
  std::filesystem::path bundle;     // certificates of the system and of the authority
  std::filesystem::path authority;  // the latter's alone
  std::string key_id, secret, region;
};

// `inherited` and the result: "NAME=value" each.
std::vector<std::string> run_environment(const std::vector<std::string>& inherited,
                                         const RunEnvironment& own);

// NO_PROXY's entries but those that name AWS's hosts (or every host), and this machine.
std::string without_aws_names(const std::string& no_proxy);

// The certificates that programs of that environment trust: those of the files it names (AWS_CA_BUNDLE,
// REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, SSL_CERT_FILE), of the system's if it names none. kNotFound, kIo naming
// the variable.
Result<std::string> trusted_certificates(const std::vector<std::string>& inherited);

}  // namespace terrapin::cli
