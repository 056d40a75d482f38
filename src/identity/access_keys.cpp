#include "identity/access_keys.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/json_text.h"
#include "crypto/secrets.h"
#include "storage/object_store.h"

namespace terrapin::identity {
namespace fs = std::filesystem;
namespace {

constexpr std::int64_t kMaxFileBytes = 16 << 20;
constexpr int kVersion = 1;
constexpr const char* kFormat = "terrapin-access-keys";

Status check_owner(const std::string& owner) {
  const bool allowed =
      !owner.empty() && owner.size() <= 64 && std::all_of(owner.begin(), owner.end(), [](unsigned char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::strchr("_+=,.@-", c) != nullptr;
      });
  if (allowed) return {};
  return fail(ErrorCode::kInvalidArgument,
              "owner '{}': allowed are 1 to 64 characters of A-Z a-z 0-9 _+=,.@-", owner);
}

std::string new_key_id() {
  static constexpr char kLetters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  std::string id = "TPIA";
  for (const std::uint8_t byte : crypto::random_bytes(16)) id += kLetters[byte & 31];
  return id;
}

Result<AccessKey> key_from_json(const nlohmann::json& item) {
  const auto refuse = [](const char* field, const char* allowed) {
    return fail(ErrorCode::kCorrupt, "field '{}' must be {}", field, allowed);
  };
  if (!item.is_object()) return fail(ErrorCode::kCorrupt, "must be an object");
  AccessKey key;
  for (const auto& [name, value] : item.items()) {
    if (name == "buckets") {
      if (!value.is_array()) return refuse("buckets", "a list of names");
      for (const auto& bucket : value) {
        if (!bucket.is_string()) return refuse("buckets", "a list of names");
        key.buckets.push_back(bucket.get<std::string>());
      }
      continue;
    }
    if (!value.is_string()) return refuse(name.c_str(), "text");
    const auto& text = value.get_ref<const std::string&>();
    if (name == "id") {
      key.id = text;
    } else if (name == "secret") {
      key.secret = text;
    } else if (name == "owner") {
      key.owner = text;
    } else if (name == "scope") {
      const auto scope = parse_scope(text);
      if (!scope) return fail(ErrorCode::kCorrupt, "{}", scope.error().message);
      key.scope = *scope;
    } else if (name == "created") {
      const auto created = parse_iso_text(text);
      if (!created) return fail(ErrorCode::kCorrupt, "field 'created': {}", created.error().message);
      key.created = *created;
    } else {
      return fail(ErrorCode::kCorrupt, "unknown field '{}'", name);
    }
  }
  for (const char* needed : {"id", "secret", "scope", "owner", "buckets", "created"})
    if (!item.contains(needed)) return refuse(needed, "there");
  if (key.id.empty() || key.secret.empty())
    return fail(ErrorCode::kCorrupt, "id and secret may not be empty");
  return key;
}

}  // namespace

const char* scope_name(Scope scope) {
  switch (scope) {
    case Scope::kAdmin:
      return "admin";
    case Scope::kRequester:
      return "requester";
    case Scope::kInvoke:
      return "invoke";
  }
  return "";
}

Result<Scope> parse_scope(std::string_view name) {
  for (const Scope scope : {Scope::kAdmin, Scope::kRequester, Scope::kInvoke})
    if (name == scope_name(scope)) return scope;
  return fail(ErrorCode::kInvalidArgument, "scope '{}': allowed are admin, requester, invoke", name);
}

bool AccessKey::may_use_bucket(const std::string& bucket) const {
  return buckets.empty() || std::find(buckets.begin(), buckets.end(), bucket) != buckets.end();
}

struct AccessKeys::Document {
  std::shared_ptr<const std::string> text;  // what `keys` says
  std::vector<AccessKey> keys;              // in order of creation

  // The file as it is now; parsed only if it is another than the last time. A missing file holds no keys.
  static Result<std::shared_ptr<const Document>> current(AccessKeys& owner) {
    const std::lock_guard lock(owner.mutex_);
    TERRAPIN_TRY(const auto text, owner.file_.read());
    if (owner.document_ && owner.document_->text == text) return owner.document_;
    auto document = std::make_shared<Document>();
    document->text = text;
    if (text != PrivateFile::missing()) {
      auto keys = parse(*text);
      if (!keys) return with_context(std::move(keys.error()), owner.file_.path().string());
      document->keys = std::move(*keys);
    }
    owner.document_ = document;
    return owner.document_;
  }

  static Result<std::vector<AccessKey>> parse(const std::string& text) {
    const auto json = nlohmann::json::parse(text, nullptr, false);
    if (json.is_discarded() || !json.is_object()) return fail(ErrorCode::kCorrupt, "is not a JSON object");
    if (json.value("format", nlohmann::json()) != kFormat)
      return fail(ErrorCode::kCorrupt, "field 'format' must be \"{}\"", kFormat);
    if (json.value("version", nlohmann::json()) != kVersion)
      return fail(ErrorCode::kCorrupt, "field 'version' must be {}", kVersion);
    const auto list = json.find("keys");
    if (list == json.end() || !list->is_array())
      return fail(ErrorCode::kCorrupt, "field 'keys' must be a list");
    std::vector<AccessKey> keys;
    for (const auto& item : *list) {
      auto key = key_from_json(item);
      if (!key) return with_context(std::move(key.error()), fmt::format("keys[{}]", keys.size()));
      for (const AccessKey& other : keys)
        if (other.id == key->id) return fail(ErrorCode::kCorrupt, "two keys have the id {}", key->id);
      keys.push_back(std::move(*key));
    }
    return keys;
  }

  static std::string text_of(const std::vector<AccessKey>& keys) {
    nlohmann::ordered_json json{{"format", kFormat}, {"version", kVersion}};
    json["keys"] = nlohmann::ordered_json::array();
    for (const AccessKey& key : keys) {
      nlohmann::ordered_json item;
      item["id"] = key.id;
      item["secret"] = key.secret;
      item["scope"] = scope_name(key.scope);
      item["owner"] = key.owner;
      item["buckets"] = key.buckets;
      item["created"] = iso_text(key.created, 6) + "Z";
      json["keys"].push_back(std::move(item));
    }
    return json_text(json, 1) + "\n";
  }
};

AccessKeys::AccessKeys(fs::path path, const Clock& clock) : file_(std::move(path)), clock_(clock) {}

Result<std::unique_ptr<AccessKeys>> AccessKeys::open(const fs::path& data_dir, const Clock& clock) {
  std::error_code error;
  const fs::path folder = fs::absolute(data_dir, error);
  if (error || !fs::is_directory(folder, error))
    return fail(ErrorCode::kIo, "{}: is not a folder", data_dir.string());
  auto keys = std::unique_ptr<AccessKeys>(new AccessKeys(folder / "access-keys.json", clock));
  TERRAPIN_TRY_STATUS(Document::current(*keys));
  return keys;
}

Result<AccessKey> AccessKeys::create(Scope scope, const std::string& owner, std::vector<std::string> buckets,
                                     const Before& before) {
  TERRAPIN_TRY_STATUS(check_owner(owner));
  for (const std::string& bucket : buckets) {
    TERRAPIN_TRY_STATUS(storage::check_bucket_name(bucket));
  }
  const AccessKey made{new_key_id(), crypto::random_text(40), scope, owner, std::move(buckets), clock_.now()};
  if (before) {
    TERRAPIN_TRY_STATUS(before(made.id));
  }
  TERRAPIN_TRY_STATUS(file_.change([&]() -> Result<std::string> {
    TERRAPIN_TRY(const auto document, Document::current(*this));
    std::vector<AccessKey> keys = document->keys;
    keys.push_back(made);
    return Document::text_of(keys);
  }));
  return made;
}

Result<std::vector<AccessKey>> AccessKeys::list() {
  TERRAPIN_TRY(const auto document, Document::current(*this));
  std::vector<AccessKey> keys = document->keys;
  for (AccessKey& key : keys) key.secret.clear();
  return keys;
}

Status AccessKeys::revoke(const std::string& id) {
  return file_.change([&]() -> Result<std::string> {
    TERRAPIN_TRY(const auto document, Document::current(*this));
    std::vector<AccessKey> keys = document->keys;
    if (std::erase_if(keys, [&](const AccessKey& key) { return key.id == id; }) == 0)
      return fail(ErrorCode::kNotFound, "there is no access key '{}'", id);
    return Document::text_of(keys);
  });
}

Result<std::optional<AccessKey>> AccessKeys::find(const std::string& id) {
  TERRAPIN_TRY(const auto document, Document::current(*this));
  for (const AccessKey& key : document->keys)
    if (key.id == id) return std::optional(key);
  return std::optional<AccessKey>();
}

Result<bool> AccessKeys::may_read(const std::string& owner, const std::string& bucket) {
  TERRAPIN_TRY(const auto document, Document::current(*this));
  return std::any_of(document->keys.begin(), document->keys.end(), [&](const AccessKey& key) {
    return key.owner == owner && key.scope != Scope::kInvoke && key.may_use_bucket(bucket);
  });
}

}  // namespace terrapin::identity
