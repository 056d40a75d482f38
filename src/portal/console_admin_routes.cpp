// Vendors and access keys.
#include "portal/fields.h"
#include "portal/implementation.h"

namespace terrapin::portal {
namespace {

json vendor_json(const labeling::Workteam& team) {
  return json{{"name", team.name},
              {"arn", team.arn},
              {"title", team.title},
              {"description", team.description},
              {"seller", team.seller},
              {"subscribed", true},
              {"created", time_text(team.created)}};
}

// The file of keys is the host's: what is wrong with it is told to its log alone.
tl::unexpected<Error> of_key_file(Error error) {
  if (error.code != ErrorCode::kInvalidArgument && error.code != ErrorCode::kNotFound &&
      error.code != ErrorCode::kNoSpace)
    error.code = ErrorCode::kInternal;
  return tl::unexpected<Error>(std::move(error));
}

}  // namespace

Portal::Implementation::Handled Portal::Implementation::vendors(Call&) {
  json list = json::array();
  labeling::WorkforceFilter filter;
  filter.sort_by = labeling::WorkforceFilter::SortBy::kName;
  for (;;) {
    TERRAPIN_TRY(const auto page, context_.workforces.list_vendors(filter));
    for (const labeling::Workteam& team : page.items) list.push_back(vendor_json(team));
    if (!page.more) break;
    filter.offset += static_cast<std::int64_t>(page.items.size());
  }
  return json_answer(200, json{{"vendors", std::move(list)}});
}

Portal::Implementation::Handled Portal::Implementation::create_vendor(Call& call) {
  Fields fields(call.body);
  labeling::VendorSpec wanted;
  wanted.name = fields.text("name");
  wanted.title = fields.text_or("title", "");
  wanted.description = fields.text_or("description", "");
  wanted.seller = fields.text_or("seller", "");
  TERRAPIN_TRY_STATUS(fields.finish());
  TERRAPIN_TRY(const labeling::Workteam team, context_.workforces.add_vendor(wanted));
  return json_answer(201, json{{"vendor", vendor_json(team)}});
}

Portal::Implementation::Handled Portal::Implementation::keys(Call&) {
  const auto all = context_.keys.list();
  if (!all) return of_key_file(all.error());
  json list = json::array();
  for (const identity::AccessKey& key : *all)
    list.push_back(json{{"access_key_id", key.id},
                        {"scope", identity::scope_name(key.scope)},
                        {"name", key.owner},
                        {"buckets", key.buckets},
                        {"created", time_text(key.created)}});
  return json_answer(200, json{{"keys", std::move(list)}});
}

Portal::Implementation::Handled Portal::Implementation::create_key(Call& call) {
  Fields fields(call.body);
  const std::string name = fields.text("name"), scope_text = fields.text("scope");
  const auto buckets = fields.texts_or("buckets", {});
  TERRAPIN_TRY_STATUS(fields.finish());
  TERRAPIN_TRY(const identity::Scope scope, identity::parse_scope(scope_text));
  const auto key = context_.keys.create(scope, name, buckets);
  if (!key) return of_key_file(key.error());
  return json_answer(201, json{{"access_key_id", key->id},
                               {"secret_access_key", key->secret},
                               {"scope", identity::scope_name(key->scope)}});
}

Portal::Implementation::Handled Portal::Implementation::revoke_key(Call& call) {
  Fields fields(call.body);
  TERRAPIN_TRY_STATUS(fields.finish());
  if (const Status revoked = context_.keys.revoke(call.parameter("id")); !revoked)
    return of_key_file(revoked.error());
  return json_answer(200, json::object());
}

}  // namespace terrapin::portal
