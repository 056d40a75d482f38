// terrapin functions and webhooks: what this host may call. Registered here alone, never by an API or a page.
#include <nlohmann/json.hpp>

#include "base/json_text.h"
#include "cli/command.h"
#include "cli/service/installation.h"
#include "labeling/functions/functions.h"
#include "labeling/notices/webhooks.h"

namespace terrapin::cli {
namespace {

struct FunctionsCommandOptions {
  InstallationOptions installation;
  labeling::RegisteredFunction function;
  labeling::Webhook webhook;
  std::string id;
  std::int64_t timeout_s = 60;
};

Result<int> add_function(const FunctionsCommandOptions& options, bool json) {
  TERRAPIN_TRY(const Installation installation, open_installation(options.installation, true));
  TERRAPIN_TRY(const auto functions, labeling::Functions::open(installation.data_dir, system_clock()));
  labeling::RegisteredFunction function = options.function;
  function.timeout = std::chrono::seconds(options.timeout_s);
  TERRAPIN_TRY_STATUS(functions->add(function));
  const std::string arn = fmt::format("arn:aws:lambda:{}:{}:function:{}", installation.region,
                                      installation.account_id, function.name);
  if (json) {
    fmt::print("{}\n", json_text(nlohmann::ordered_json{{"name", function.name}, {"arn", arn}}));
  } else {
    fmt::print(
        "{}\nName it in CreateLabelingJob as PreHumanTaskLambdaArn or AnnotationConsolidationLambdaArn.\n",
        arn);
  }
  return 0;
}

Result<int> list_functions(const FunctionsCommandOptions& options, bool json) {
  TERRAPIN_TRY(const Installation installation, open_installation(options.installation, false));
  TERRAPIN_TRY(const auto functions, labeling::Functions::open(installation.data_dir, system_clock()));
  TERRAPIN_TRY(const auto all, functions->list());
  for (const auto& function : all) {
    if (json) {
      fmt::print("{}\n", json_text(nlohmann::ordered_json{{"name", function.name},
                                                          {"command", function.command},
                                                          {"url", function.url},
                                                          {"timeout_s", function.timeout.count() / 1000},
                                                          {"retries", function.retries}}));
    } else {
      fmt::print("{:<32}  {}\n", function.name,
                 function.url.empty() ? fmt::format("{}", fmt::join(function.command, " ")) : function.url);
    }
  }
  return 0;
}

Result<int> remove_function(const FunctionsCommandOptions& options) {
  TERRAPIN_TRY(const Installation installation, open_installation(options.installation, false));
  TERRAPIN_TRY(const auto functions, labeling::Functions::open(installation.data_dir, system_clock()));
  TERRAPIN_TRY_STATUS(functions->remove(options.id));
  fmt::print("{} is removed\n", options.id);
  return 0;
}

Result<int> add_webhook(const FunctionsCommandOptions& options, bool json) {
  TERRAPIN_TRY(const Installation installation, open_installation(options.installation, true));
  TERRAPIN_TRY(const auto webhooks, labeling::Webhooks::open(installation.data_dir, system_clock()));
  labeling::Webhook wanted = options.webhook;
  if (wanted.events.empty()) wanted.events = labeling::notice_events();
  TERRAPIN_TRY(const labeling::Webhook made, webhooks->add(wanted));
  if (json) {
    fmt::print("{}\n", json_text(nlohmann::ordered_json{{"id", made.id}, {"secret", made.secret}}));
  } else {
    fmt::print("{}\nThe secret that signs its notices, shown this once: {}\n", made.id, made.secret);
  }
  return 0;
}

Result<int> list_webhooks(const FunctionsCommandOptions& options, bool json) {
  TERRAPIN_TRY(const Installation installation, open_installation(options.installation, false));
  TERRAPIN_TRY(const auto webhooks, labeling::Webhooks::open(installation.data_dir, system_clock()));
  TERRAPIN_TRY(const auto all, webhooks->list());
  for (const auto& webhook : all) {
    if (json) {
      fmt::print("{}\n", json_text(nlohmann::ordered_json{
                             {"id", webhook.id}, {"url", webhook.url}, {"events", webhook.events}}));
    } else {
      fmt::print("{}  {}  {}\n", webhook.id, webhook.url, fmt::join(webhook.events, ", "));
    }
  }
  return 0;
}

Result<int> remove_webhook(const FunctionsCommandOptions& options) {
  TERRAPIN_TRY(const Installation installation, open_installation(options.installation, false));
  TERRAPIN_TRY(const auto webhooks, labeling::Webhooks::open(installation.data_dir, system_clock()));
  TERRAPIN_TRY_STATUS(webhooks->remove(options.id));
  fmt::print("{} is removed\n", options.id);
  return 0;
}

}  // namespace

void add_functions_command(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<FunctionsCommandOptions>();
  const auto add = [&](CLI::App* parent, const char* name, const char* text, auto work) {
    auto* command = parent->add_subcommand(name, text);
    add_installation_options(*command, options->installation, false);
    command->callback([options, &invocation, work] {
      invocation.action = [options, &invocation, work] { return work(*options, invocation.json); };
    });
    return command;
  };
  const auto json = [&](CLI::App* command) {
    command->add_flag("--json", invocation.json, "One JSON object a line");
  };

  auto* functions = app.add_subcommand("functions", "Pre- and post-annotation functions that jobs may name");
  functions->require_subcommand(1);
  auto* function = add(functions, "add", "Register a local command or an address", &add_function);
  function->add_option("name", options->function.name, "Last part of the ARN that jobs name")->required();
  auto* command = function->add_option("--command", options->function.command,
                                       "Absolute path of a program and its arguments; JSON in and out");
  auto* url =
      function->add_option("--url", options->function.url, "http(s):// address that JSON is posted to");
  command->excludes(url);
  function->require_option(2, 0);
  function->add_option("--env", options->function.environment,
                       "Name of a variable of the server that the command gets");
  function->add_flag("--allow-private", options->function.allow_private,
                     "The address may lie on this machine or its networks");
  function->add_option("--timeout", options->timeout_s, "Seconds of one try")
      ->check(CLI::Range(1, 3600))
      ->capture_default_str();
  function->add_option("--retries", options->function.retries, "Tries after the first")
      ->check(CLI::Range(0, 10))
      ->capture_default_str();
  json(function);
  json(add(functions, "list", "List them", &list_functions));
  add(functions, "remove", "Remove one",
      [](const FunctionsCommandOptions& o, bool) { return remove_function(o); })
      ->add_option("name", options->id, "Its name")
      ->required();

  auto* webhooks = app.add_subcommand("webhooks", "Addresses that hear when tasks or jobs are ready");
  webhooks->require_subcommand(1);
  auto* webhook = add(webhooks, "add", "Register an address", &add_webhook);
  webhook->add_option("url", options->webhook.url, "http(s):// address that notices are posted to")
      ->required();
  webhook->add_option("--events", options->webhook.events, "Which (default: all)")
      ->delimiter(',')
      ->check(CLI::IsMember(labeling::notice_events()));
  webhook->add_option("--secret", options->webhook.secret, "Signs the notices (default: made and printed)");
  webhook->add_flag("--allow-private", options->webhook.allow_private,
                    "The address may lie on this machine or its networks");
  json(webhook);
  json(add(webhooks, "list", "List them", &list_webhooks));
  add(webhooks, "remove", "Remove one",
      [](const FunctionsCommandOptions& o, bool) { return remove_webhook(o); })
      ->add_option("id", options->id, "Id or address")
      ->required();
}

}  // namespace terrapin::cli
