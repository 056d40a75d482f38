#include "labeling/functions/functions.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <string_view>

#include "labeling/functions/command.h"
#include "labeling/functions/registry_json.h"

namespace terrapin::labeling {
namespace fs = std::filesystem;
using nlohmann::json;
using nlohmann::ordered_json;
using std::chrono::milliseconds;
namespace {

constexpr const char* kFormat = "terrapin-functions";
constexpr const char* kList = "functions";
constexpr std::size_t kMaxNameBytes = 64;
constexpr std::size_t kMaxArguments = 256;
constexpr std::size_t kMaxArgumentBytes = 4096;
constexpr std::int64_t kMaxTimeoutMs = 3'600'000;
constexpr int kMaxRetries = 10;
constexpr int kMaxDepth = 200;
constexpr std::string_view kOwnVariables[] = {"PATH", "LANG", "HOME", "TMPDIR", "TERRAPIN_FUNCTION"};

bool is_letter_or_digit(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

Status check_name(const std::string& name) {
  const bool allowed = !name.empty() && name.size() <= kMaxNameBytes &&
                       std::all_of(name.begin(), name.end(), [](unsigned char c) {
                         return is_letter_or_digit(c) || c == '-' || c == '_';
                       });
  if (!allowed)
    return fail(ErrorCode::kInvalidArgument,
                "function name '{}': allowed are 1 to {} characters of a-z A-Z 0-9 - _", name, kMaxNameBytes);
  if (FunctionReference{"", name}.built_in())
    return fail(ErrorCode::kInvalidArgument, "function name '{}' is that of a built-in function", name);
  if (name.starts_with("PRE-") || name.starts_with("ACS-"))
    return fail(ErrorCode::kInvalidArgument,
                "function name '{}': names that begin with PRE- or ACS- are kept for built-in functions",
                name);
  return {};
}

Status check_variable(const std::string& name) {
  const bool allowed = !name.empty() && name.size() <= 256 && !(name[0] >= '0' && name[0] <= '9') &&
                       std::all_of(name.begin(), name.end(),
                                   [](unsigned char c) { return is_letter_or_digit(c) || c == '_'; });
  if (!allowed)
    return fail(ErrorCode::kInvalidArgument,
                "environment variable '{}': allowed are names of a-z A-Z 0-9 _ that begin with no digit",
                name);
  if (std::find(std::begin(kOwnVariables), std::end(kOwnVariables), name) != std::end(kOwnVariables))
    return fail(ErrorCode::kInvalidArgument, "environment variable '{}' is set for every function", name);
  return {};
}

// What does not depend on this machine's present state.
Status check(const RegisteredFunction& function) {
  TERRAPIN_TRY_STATUS(check_name(function.name));
  if (function.command.empty() == function.url.empty())
    return fail(ErrorCode::kInvalidArgument, "function '{}' needs either a command or a URL", function.name);
  if (!function.url.empty()) {
    if (!function.environment.empty())
      return fail(ErrorCode::kInvalidArgument, "function '{}': only a command has environment variables",
                  function.name);
    TERRAPIN_TRY_STATUS(check_url(function.url, function.allow_private));
  } else {
    if (function.allow_private)
      return fail(ErrorCode::kInvalidArgument, "function '{}': allow_private is for URLs", function.name);
    if (function.command.front().empty() || function.command.front()[0] != '/')
      return fail(ErrorCode::kInvalidArgument,
                  "command '{}': the program's absolute path is needed (no shell looks for it)",
                  function.command.front());
    if (function.command.size() > kMaxArguments)
      return fail(ErrorCode::kInvalidArgument, "function '{}': {} arguments, at most {} are allowed",
                  function.name, function.command.size() - 1, kMaxArguments - 1);
    for (const std::string& argument : function.command)
      if (argument.size() > kMaxArgumentBytes || argument.find('\0') != std::string::npos)
        return fail(ErrorCode::kInvalidArgument,
                    "function '{}': an argument may have {} bytes and no zero byte", function.name,
                    kMaxArgumentBytes);
    std::set<std::string> seen;
    for (const std::string& variable : function.environment) {
      TERRAPIN_TRY_STATUS(check_variable(variable));
      if (!seen.insert(variable).second)
        return fail(ErrorCode::kInvalidArgument, "environment variable '{}' is named twice", variable);
    }
  }
  if (function.timeout.count() < 1 || function.timeout.count() > kMaxTimeoutMs)
    return fail(ErrorCode::kInvalidArgument, "time limit {} ms: allowed are 1 to {}",
                function.timeout.count(), kMaxTimeoutMs);
  if (function.retries < 0 || function.retries > kMaxRetries)
    return fail(ErrorCode::kInvalidArgument, "{} retries: allowed are 0 to {}", function.retries,
                kMaxRetries);
  return {};
}

Status check_program(const std::string& path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error) || ::access(path.c_str(), X_OK) != 0)
    return fail(ErrorCode::kInvalidArgument, "command '{}': is not a program that may be run", path);
  return {};
}

ordered_json to_json(const RegisteredFunction& function) {
  ordered_json item;
  item["name"] = function.name;
  if (!function.command.empty()) {
    item["command"] = function.command;
    item["environment"] = function.environment;
  } else {
    item["url"] = function.url;
    item["allow_private"] = function.allow_private;
  }
  item["timeout_ms"] = function.timeout.count();
  item["retries"] = function.retries;
  item["created"] = iso_text(function.created, 6) + "Z";
  return item;
}

Result<RegisteredFunction> from_json(const json& item) {
  const auto refuse = [](const std::string& field, const char* allowed) {
    return fail(ErrorCode::kCorrupt, "field '{}' must be {}", field, allowed);
  };
  RegisteredFunction function;
  for (const auto& [field, value] : item.items()) {
    if (field == "name" || field == "url" || field == "created") {
      if (!value.is_string()) return refuse(field, "text");
      const auto& text = value.get_ref<const std::string&>();
      if (field == "name") function.name = text;
      if (field == "url") function.url = text;
      if (field == "created") {
        const auto created = parse_iso_text(text);
        if (!created) return fail(ErrorCode::kCorrupt, "field 'created': {}", created.error().message);
        function.created = *created;
      }
    } else if (field == "command" || field == "environment") {
      const bool texts = value.is_array() && std::all_of(value.begin(), value.end(),
                                                         [](const json& one) { return one.is_string(); });
      if (!texts) return refuse(field, "a list of texts");
      auto& target = field == "command" ? function.command : function.environment;
      target = value.get<std::vector<std::string>>();
    } else if (field == "allow_private") {
      if (!value.is_boolean()) return refuse(field, "true or false");
      function.allow_private = value.get<bool>();
    } else if (field == "timeout_ms" || field == "retries") {
      if (!value.is_number_integer() || value < 0 || value > kMaxTimeoutMs)
        return refuse(field, "an integer");
      if (field == "timeout_ms") function.timeout = milliseconds(value.get<std::int64_t>());
      if (field == "retries") function.retries = value.get<int>();
    } else {
      return fail(ErrorCode::kCorrupt, "unknown field '{}'", field);
    }
  }
  for (const char* needed : {"name", "timeout_ms", "retries", "created"})
    if (!item.contains(needed)) return refuse(needed, "there");
  if (const Status checked = check(function); !checked)
    return fail(ErrorCode::kCorrupt, "{}", checked.error().message);
  return function;
}

Result<std::vector<RegisteredFunction>> parse(const std::string& text) {
  TERRAPIN_TRY(const json items, registry_items(text, kFormat, kList));
  std::vector<RegisteredFunction> functions;
  for (const json& item : items) {
    auto function = from_json(item);
    if (!function)
      return with_context(std::move(function.error()), fmt::format("{}[{}]", kList, functions.size()));
    for (const RegisteredFunction& other : functions)
      if (other.name == function->name)
        return fail(ErrorCode::kCorrupt, "two functions have the name '{}'", function->name);
    functions.push_back(std::move(*function));
  }
  return functions;
}

std::string to_text(const std::vector<RegisteredFunction>& functions) {
  ordered_json items = ordered_json::array();
  for (const RegisteredFunction& function : functions) items.push_back(to_json(function));
  return registry_text(std::move(items), kFormat, kList);
}

// Deep nesting would cost whoever reads the answer their stack.
bool is_plain_json(const std::string& text) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxDepth) return false;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return json::accept(text);
}

}  // namespace

Functions::Functions(fs::path path, const Clock& clock, FunctionsOptions options)
    : clock_(clock), options_(std::move(options)), file_(std::move(path)) {}

Result<std::unique_ptr<Functions>> Functions::open(const fs::path& data_dir, const Clock& clock,
                                                   FunctionsOptions options) {
  std::error_code error;
  const fs::path folder = fs::absolute(data_dir, error);
  if (error || !fs::is_directory(folder, error))
    return fail(ErrorCode::kIo, "{}: is not a folder", data_dir.string());
  auto functions =
      std::unique_ptr<Functions>(new Functions(folder / "functions.json", clock, std::move(options)));
  TERRAPIN_TRY_STATUS(functions->current());
  return functions;
}

Result<std::shared_ptr<const Functions::List>> Functions::current() {
  TERRAPIN_TRY(const auto text, file_.read());
  const std::lock_guard lock(mutex_);
  if (parsed_ && parsed_text_ == text) return parsed_;
  auto functions = parse(*text);
  if (!functions) return with_context(std::move(functions.error()), file_.path().string());
  parsed_ = std::make_shared<List>(std::move(*functions));
  parsed_text_ = text;
  return parsed_;
}

Status Functions::add(RegisteredFunction function) {
  TERRAPIN_TRY_STATUS(check(function));
  if (!function.command.empty()) {
    TERRAPIN_TRY_STATUS(check_program(function.command.front()));
  }
  function.created = clock_.now();
  return file_.change([&]() -> Result<std::string> {
    TERRAPIN_TRY(const auto before, current());
    List functions = *before;
    for (const RegisteredFunction& other : functions)
      if (other.name == function.name)
        return fail(ErrorCode::kAlreadyExists, "there is a function '{}' already: remove it first",
                    function.name);
    functions.push_back(function);
    return to_text(functions);
  });
}

Result<std::vector<RegisteredFunction>> Functions::list() {
  TERRAPIN_TRY(const auto functions, current());
  return *functions;
}

Status Functions::remove(const std::string& name) {
  return file_.change([&]() -> Result<std::string> {
    TERRAPIN_TRY(const auto before, current());
    List functions = *before;
    if (std::erase_if(functions, [&](const RegisteredFunction& one) { return one.name == name; }) == 0)
      return fail(ErrorCode::kNotFound, "there is no function '{}'", name);
    return to_text(functions);
  });
}

Result<std::shared_ptr<const Functions::List>> Functions::registered() {
  auto functions = current();
  if (functions) return functions;
  return fail(ErrorCode::kInternal, "registered functions cannot be read: {}", functions.error().message);
}

Result<bool> Functions::knows(const std::string& name) {
  TERRAPIN_TRY(const auto functions, registered());
  return std::any_of(functions->begin(), functions->end(),
                     [&](const RegisteredFunction& one) { return one.name == name; });
}

Attempt Functions::try_once(const RegisteredFunction& function, const std::string& request_json) {
  if (!function.url.empty()) {
    HttpCall call;
    call.url = function.url;
    call.body = request_json;
    call.allow_private = function.allow_private;
    call.timeout = function.timeout;
    call.max_answer_bytes = options_.max_answer_bytes;
    return post_json(call, options_.http, stop_);
  }
  Command command;
  command.arguments = function.command;
  command.environment.emplace_back("TERRAPIN_FUNCTION", function.name);
  for (const std::string& variable : function.environment)
    if (const char* value = std::getenv(variable.c_str())) command.environment.emplace_back(variable, value);
  command.scratch_folder = options_.scratch_folder;
  command.timeout = function.timeout;
  command.kill_grace = options_.kill_grace;
  command.max_output_bytes = options_.max_answer_bytes;
  return run_command(command, request_json, stop_);
}

Result<std::string> Functions::call(const std::string& name, const std::string& request_json) {
  TERRAPIN_TRY(const auto functions, registered());
  const auto function = std::find_if(functions->begin(), functions->end(),
                                     [&](const RegisteredFunction& one) { return one.name == name; });
  if (function == functions->end())
    return fail(ErrorCode::kNotFound, "no function is registered as '{}'", name);
  milliseconds pause = options_.first_pause;
  for (int tries = 1;; ++tries) {
    Attempt attempt = try_once(*function, request_json);
    if (attempt) {
      if (is_plain_json(*attempt)) return std::move(*attempt);
      return fail(ErrorCode::kCorrupt, "its answer of {} bytes is not JSON (of at most {} levels)",
                  attempt->size(), kMaxDepth);
    }
    Error error = std::move(attempt.error().error);
    if (!attempt.error().may_pass || tries > function->retries) {
      if (tries > 1) error.message += fmt::format(" (tried {} times)", tries);
      return tl::unexpected<Error>(std::move(error));
    }
    spdlog::warn("function {}: {}; it is tried again in {} ms", name, error.message, pause.count());
    const bool go_on = options_.pause ? options_.pause(pause) : stop_.wait_for(pause);
    if (!go_on || stop_.is_set()) return fail(ErrorCode::kCancelled, "shutting down");
    pause = std::min(pause * 2, options_.longest_pause);
  }
}

void Functions::stop() {
  stop_.set();
}

}  // namespace terrapin::labeling
