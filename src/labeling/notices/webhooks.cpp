#include "labeling/notices/webhooks.h"

#include <algorithm>

#include "crypto/secrets.h"
#include "labeling/functions/http_call.h"
#include "labeling/functions/registry_json.h"

namespace terrapin::labeling {
namespace fs = std::filesystem;
using nlohmann::json;
using nlohmann::ordered_json;
namespace {

constexpr const char* kFormat = "terrapin-webhooks";
constexpr const char* kList = "webhooks";
constexpr std::size_t kSecretBytes = 40;
constexpr std::size_t kMinSecretBytes = 16;
constexpr std::size_t kMaxSecretBytes = 256;

Status check(const Webhook& webhook) {
  TERRAPIN_TRY_STATUS(check_url(webhook.url, webhook.allow_private));
  const auto& known = notice_events();
  if (webhook.events.empty())
    return fail(ErrorCode::kInvalidArgument, "events: at least one of {} is needed", fmt::join(known, ", "));
  for (std::size_t i = 0; i < webhook.events.size(); ++i) {
    const std::string& event = webhook.events[i];
    if (std::find(known.begin(), known.end(), event) == known.end())
      return fail(ErrorCode::kInvalidArgument, "event '{}': allowed are {}", event, fmt::join(known, ", "));
    if (std::find(webhook.events.begin(), webhook.events.begin() + static_cast<std::ptrdiff_t>(i), event) !=
        webhook.events.begin() + static_cast<std::ptrdiff_t>(i))
      return fail(ErrorCode::kInvalidArgument, "event '{}' is named twice", event);
  }
  const bool printable = std::all_of(webhook.secret.begin(), webhook.secret.end(),
                                     [](unsigned char c) { return c >= 0x20 && c < 0x7f; });
  if (!printable || webhook.secret.size() < kMinSecretBytes || webhook.secret.size() > kMaxSecretBytes)
    return fail(ErrorCode::kInvalidArgument,
                "secret of {} bytes: allowed are {} to {} printable ASCII characters", webhook.secret.size(),
                kMinSecretBytes, kMaxSecretBytes);
  return {};
}

Result<Webhook> from_json(const json& item) {
  const auto refuse = [](const std::string& field, const char* allowed) {
    return fail(ErrorCode::kCorrupt, "field '{}' must be {}", field, allowed);
  };
  Webhook webhook;
  for (const auto& [field, value] : item.items()) {
    if (field == "id" || field == "url" || field == "secret" || field == "created") {
      if (!value.is_string()) return refuse(field, "text");
      const auto& text = value.get_ref<const std::string&>();
      if (field == "id") webhook.id = text;
      if (field == "url") webhook.url = text;
      if (field == "secret") webhook.secret = text;
      if (field == "created") {
        const auto created = parse_iso_text(text);
        if (!created) return fail(ErrorCode::kCorrupt, "field 'created': {}", created.error().message);
        webhook.created = *created;
      }
    } else if (field == "events") {
      const bool texts = value.is_array() && std::all_of(value.begin(), value.end(),
                                                         [](const json& one) { return one.is_string(); });
      if (!texts) return refuse(field, "a list of texts");
      webhook.events = value.get<std::vector<std::string>>();
    } else if (field == "allow_private") {
      if (!value.is_boolean()) return refuse(field, "true or false");
      webhook.allow_private = value.get<bool>();
    } else {
      return fail(ErrorCode::kCorrupt, "unknown field '{}'", field);
    }
  }
  for (const char* needed : {"id", "url", "events", "secret", "created"})
    if (!item.contains(needed)) return refuse(needed, "there");
  if (webhook.id.empty()) return refuse("id", "one or more characters");
  if (const Status checked = check(webhook); !checked)
    return fail(ErrorCode::kCorrupt, "{}", checked.error().message);
  return webhook;
}

Result<std::vector<Webhook>> parse(const std::string& text) {
  TERRAPIN_TRY(const json items, registry_items(text, kFormat, kList));
  std::vector<Webhook> webhooks;
  for (const json& item : items) {
    auto webhook = from_json(item);
    if (!webhook)
      return with_context(std::move(webhook.error()), fmt::format("{}[{}]", kList, webhooks.size()));
    for (const Webhook& other : webhooks)
      if (other.id == webhook->id)
        return fail(ErrorCode::kCorrupt, "two webhooks have the id '{}'", webhook->id);
    webhooks.push_back(std::move(*webhook));
  }
  return webhooks;
}

std::string to_text(const std::vector<Webhook>& webhooks) {
  ordered_json items = ordered_json::array();
  for (const Webhook& webhook : webhooks) {
    ordered_json item;
    item["id"] = webhook.id;
    item["url"] = webhook.url;
    item["events"] = webhook.events;
    item["secret"] = webhook.secret;
    item["allow_private"] = webhook.allow_private;
    item["created"] = iso_text(webhook.created, 6) + "Z";
    items.push_back(std::move(item));
  }
  return registry_text(std::move(items), kFormat, kList);
}

}  // namespace

const std::vector<std::string>& notice_events() {
  static const std::vector<std::string> events = {"job.in-progress", "job.completed", "job.stopped",
                                                  "job.failed", "tasks.available"};
  return events;
}

bool Webhook::wants(std::string_view event) const {
  return std::find(events.begin(), events.end(), event) != events.end();
}

Webhooks::Webhooks(fs::path path, const Clock& clock) : clock_(clock), file_(std::move(path)) {}

Result<std::unique_ptr<Webhooks>> Webhooks::open(const fs::path& data_dir, const Clock& clock) {
  std::error_code error;
  const fs::path folder = fs::absolute(data_dir, error);
  if (error || !fs::is_directory(folder, error))
    return fail(ErrorCode::kIo, "{}: is not a folder", data_dir.string());
  auto webhooks = std::unique_ptr<Webhooks>(new Webhooks(folder / "webhooks.json", clock));
  TERRAPIN_TRY_STATUS(webhooks->current());
  return webhooks;
}

Result<std::shared_ptr<const std::vector<Webhook>>> Webhooks::current() {
  TERRAPIN_TRY(const auto text, file_.read());
  const std::lock_guard lock(mutex_);
  if (parsed_ && parsed_text_ == text) return parsed_;
  auto webhooks = parse(*text);
  if (!webhooks) return with_context(std::move(webhooks.error()), file_.path().string());
  parsed_ = std::make_shared<std::vector<Webhook>>(std::move(*webhooks));
  parsed_text_ = text;
  return parsed_;
}

Result<Webhook> Webhooks::add(Webhook webhook) {
  if (webhook.secret.empty()) webhook.secret = crypto::random_text(kSecretBytes);
  TERRAPIN_TRY_STATUS(check(webhook));
  webhook.id = "hook-" + crypto::random_text(12);
  webhook.created = clock_.now();
  TERRAPIN_TRY_STATUS(file_.change([&]() -> Result<std::string> {
    TERRAPIN_TRY(const auto before, current());
    std::vector<Webhook> webhooks = *before;
    for (const Webhook& other : webhooks)
      if (other.url == webhook.url)
        return fail(ErrorCode::kAlreadyExists, "this URL is registered already, as {}: remove it first",
                    other.id);
    webhooks.push_back(webhook);
    return to_text(webhooks);
  }));
  return webhook;
}

Result<std::vector<Webhook>> Webhooks::list() {
  TERRAPIN_TRY(const auto webhooks, current());
  std::vector<Webhook> shown = *webhooks;
  for (Webhook& webhook : shown) webhook.secret.clear();
  return shown;
}

Status Webhooks::remove(const std::string& id) {
  return file_.change([&]() -> Result<std::string> {
    TERRAPIN_TRY(const auto before, current());
    std::vector<Webhook> webhooks = *before;
    if (std::erase_if(webhooks, [&](const Webhook& one) { return one.id == id || one.url == id; }) == 0)
      return fail(ErrorCode::kNotFound, "there is no webhook '{}'", id);
    return to_text(webhooks);
  });
}

}  // namespace terrapin::labeling
