#include "control/resources.h"

#include <nlohmann/json.hpp>

#include "base/json_text.h"
#include "base/text.h"

namespace terrapin::control {
namespace {

using storage::Transaction;
using storage::Value;
using I = std::int64_t;

// `key` is the name in lower case.
constexpr storage::Migration kMigrations[] = {
    {1, R"(
CREATE TABLE control_resources (
  kind TEXT NOT NULL,
  key TEXT NOT NULL,
  name TEXT NOT NULL,
  owner TEXT NOT NULL,
  status TEXT NOT NULL,
  parent TEXT NOT NULL,
  job_id TEXT NOT NULL,
  spec TEXT NOT NULL,
  state TEXT NOT NULL,
  tags TEXT NOT NULL,
  created BIGINT NOT NULL,
  modified BIGINT NOT NULL,
  PRIMARY KEY (kind, key)
);
CREATE INDEX control_resources_by_creation ON control_resources (kind, created);
CREATE INDEX control_resources_by_status ON control_resources (kind, status);
CREATE INDEX control_resources_by_parent ON control_resources (kind, parent);
CREATE INDEX control_resources_by_job ON control_resources (job_id);
)"},
};

std::string tags_text(const std::map<std::string, std::string>& tags) {
  return json_text(nlohmann::json(tags));
}

Result<std::vector<Resource>> select_resources(Transaction& state, const std::string& rest,
                                               const std::vector<Value>& values) {
  TERRAPIN_TRY(const auto rows,
               state.query("SELECT kind, name, owner, status, parent, job_id, spec, state, tags, created, "
                           "modified FROM control_resources " +
                               rest,
                           11, values));
  std::vector<Resource> found;
  for (const storage::TextRow& row : rows) {
    const auto text = [&](std::size_t column) { return row[column].value_or(""); };
    Resource one{text(0), text(1), text(2), text(3), text(4), text(5), text(6), text(7), {}, {}, {}};
    const nlohmann::json tags = nlohmann::json::parse(text(8), nullptr, false);
    if (!tags.is_object())
      return fail(ErrorCode::kCorrupt, "the tags of the {} '{}' are no JSON object", one.kind, one.name);
    for (const auto& [key, value] : tags.items())
      if (value.is_string()) one.tags[key] = value.get<std::string>();
    TERRAPIN_TRY(const I created, storage::detail::to_integer(text(9)));
    TERRAPIN_TRY(const I modified, storage::detail::to_integer(text(10)));
    one.created = from_microseconds(created);
    one.modified = from_microseconds(modified);
    found.push_back(std::move(one));
  }
  return found;
}

const char* column_of(ResourceFilter::SortBy sort_by) {
  switch (sort_by) {
    case ResourceFilter::SortBy::kName:
      return "key";
    case ResourceFilter::SortBy::kCreationTime:
      return "created";
    case ResourceFilter::SortBy::kModifiedTime:
      return "modified";
    case ResourceFilter::SortBy::kStatus:
      return "status";
  }
  return "created";
}

// "%" and "_" in a name stand for themselves.
std::string like_pattern(const std::string& text) {
  std::string pattern = "%";
  for (const char c : lower_case(text)) {
    if (c == '%' || c == '_' || c == '!') pattern += '!';
    pattern += c;
  }
  return pattern + "%";
}

}  // namespace

Result<Resources> Resources::open(storage::Database& state, const Clock& clock) {
  TERRAPIN_TRY_STATUS(state.migrate("control", kMigrations));
  return Resources(state, clock);
}

Result<Resource> Resources::create(Transaction& state, Resource resource) {
  const std::string key = lower_case(resource.name);
  TERRAPIN_TRY(const auto taken,
               (state.select_one<std::string>("SELECT name FROM control_resources WHERE kind = ? AND key = ?",
                                              resource.kind, key)));
  if (taken)
    return fail(ErrorCode::kAlreadyExists, "there is a {} '{}' already", resource.kind, std::get<0>(*taken));
  resource.created = resource.modified = clock_->now();
  TERRAPIN_TRY_STATUS(state.run(
      "INSERT INTO control_resources (kind, key, name, owner, status, parent, job_id, spec, state, tags, "
      "created, modified) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      resource.kind, key, resource.name, resource.owner, resource.status, resource.parent, resource.job_id,
      resource.spec, resource.state, tags_text(resource.tags), to_microseconds(resource.created),
      to_microseconds(resource.modified)));
  return resource;
}

Result<Resource> Resources::create(Resource resource) {
  Resource made;
  TERRAPIN_TRY_STATUS(state_->write([&](Transaction& state) -> Status {
    TERRAPIN_TRY(made, create(state, resource));
    return {};
  }));
  return made;
}

Result<Resource> Resources::find(Transaction& state, const std::string& kind, const std::string& name) {
  TERRAPIN_TRY(auto found,
               select_resources(state, "WHERE kind = ? AND key = ?", {Value(kind), Value(lower_case(name))}));
  if (found.empty()) return fail(ErrorCode::kNotFound, "there is no {} '{}'", kind, name);
  return std::move(found.front());
}

Result<Resource> Resources::find(const std::string& kind, const std::string& name) {
  Resource found;
  TERRAPIN_TRY_STATUS(state_->read([&](Transaction& state) -> Status {
    TERRAPIN_TRY(found, find(state, kind, name));
    return {};
  }));
  return found;
}

Result<Resource> Resources::find_by_job(const std::string& job_id) {
  std::vector<Resource> found;
  TERRAPIN_TRY_STATUS(state_->read([&](Transaction& state) -> Status {
    TERRAPIN_TRY(found, select_resources(state, "WHERE job_id = ?", {Value(job_id)}));
    return {};
  }));
  if (found.empty() || job_id.empty())
    return fail(ErrorCode::kNotFound, "nothing is known of the job '{}'", job_id);
  return std::move(found.front());
}

Result<ResourcePage> Resources::list(const ResourceFilter& filter) {
  std::string where = "WHERE kind = ?";
  std::vector<Value> values{Value(filter.kind)};
  const auto add = [&](const char* condition, Value value) {
    where += condition;
    values.push_back(std::move(value));
  };
  if (!filter.name_contains.empty()) add(" AND key LIKE ? ESCAPE '!'", like_pattern(filter.name_contains));
  if (filter.parent) add(" AND parent = ?", *filter.parent);
  if (!filter.statuses.empty()) {
    std::string marks;
    for (const std::string& status : filter.statuses) {
      marks += marks.empty() ? "?" : ", ?";
      values.emplace_back(status);
    }
    where += " AND status IN (" + marks + ")";
  }
  if (filter.created_after) add(" AND created > ?", to_microseconds(*filter.created_after));
  if (filter.created_before) add(" AND created < ?", to_microseconds(*filter.created_before));
  if (filter.modified_after) add(" AND modified > ?", to_microseconds(*filter.modified_after));
  if (filter.modified_before) add(" AND modified < ?", to_microseconds(*filter.modified_before));
  const char* direction = filter.descending ? "DESC" : "ASC";
  where += fmt::format(" ORDER BY {} {}, key {} LIMIT ? OFFSET ?", column_of(filter.sort_by), direction,
                       direction);
  values.emplace_back(static_cast<I>(filter.limit) + 1);
  values.emplace_back(filter.offset);
  ResourcePage page;
  TERRAPIN_TRY_STATUS(state_->read([&](Transaction& state) -> Status {
    TERRAPIN_TRY(page.resources, select_resources(state, where, values));
    return {};
  }));
  page.more = static_cast<int>(page.resources.size()) > filter.limit;
  if (page.more) page.resources.pop_back();
  return page;
}

Result<std::vector<Resource>> Resources::all(ResourceFilter filter) {
  std::vector<Resource> rows;
  for (bool more = true; more; filter.offset += filter.limit) {
    TERRAPIN_TRY(ResourcePage page, list(filter));
    std::move(page.resources.begin(), page.resources.end(), std::back_inserter(rows));
    more = page.more;
  }
  return rows;
}

Result<Resource> Resources::change(const std::string& kind, const std::string& name, const Change& change) {
  Resource changed;
  TERRAPIN_TRY_STATUS(state_->write([&](Transaction& state) -> Status {
    TERRAPIN_TRY(const Resource before, find(state, kind, name));
    changed = before;
    TERRAPIN_TRY_STATUS(change(state, changed));
    if (changed.status != before.status || changed.state != before.state || changed.job_id != before.job_id)
      changed.modified = std::max(before.modified, clock_->now());
    return state
        .run(
            "UPDATE control_resources SET status = ?, job_id = ?, state = ?, tags = ?, modified = ? WHERE "
            "kind = ? AND key = ?",
            changed.status, changed.job_id, changed.state, tags_text(changed.tags),
            to_microseconds(changed.modified), kind, lower_case(name))
        .map([](I) {});
  }));
  return changed;
}

Status Resources::remove(Transaction& state, const std::string& kind, const std::string& name) {
  TERRAPIN_TRY(const I removed,
               state.run("DELETE FROM control_resources WHERE kind = ? AND key = ?", kind, lower_case(name)));
  if (removed == 0) return fail(ErrorCode::kNotFound, "there is no {} '{}'", kind, name);
  return {};
}

Status Resources::remove(const std::string& kind, const std::string& name) {
  return state_->write([&](Transaction& state) { return remove(state, kind, name); });
}

}  // namespace terrapin::control
