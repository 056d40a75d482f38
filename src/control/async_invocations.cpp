#include "control/async_invocations.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/text.h"
#include "control/endpoint_state.h"
#include "crypto/secrets.h"

namespace terrapin::control {
namespace {

constexpr auto kLongestPause = std::chrono::milliseconds(60'000);
constexpr const char* kFailureType = "text/plain; charset=utf-8";

std::string object_below(const std::string& prefix, const std::string& name) {
  return prefix.ends_with('/') ? prefix + name : prefix + "/" + name;
}

// Will another try find the same?
bool may_pass(const Error& error) {
  switch (error.code) {
    case ErrorCode::kIo:
    case ErrorCode::kNoSpace:
    case ErrorCode::kConflict:
    case ErrorCode::kCancelled:
    case ErrorCode::kInternal:
      return true;
    default:
      return false;
  }
}

// In the words of AWS.
std::string told(const InvocationFailure& failure, std::chrono::seconds time) {
  if (failure.kind == InvocationFailure::Kind::kModel)
    return fmt::format("Received {} error ({}) from primary with message \"{}\"",
                       failure.status < 500 ? "client" : "server", failure.status, failure.message);
  if (failure.kind == InvocationFailure::Kind::kTimeout)
    return fmt::format("The model server did not answer within {} seconds (InvocationTimeoutSeconds)",
                       time.count());
  return failure.message;
}

}  // namespace

AsyncInvocations::AsyncInvocations(Resources resources, AsyncQueue queue, storage::ObjectStore& objects,
                                   const RouteTable& routes, const Clock& clock, Ask ask,
                                   AsyncOptions options)
    : resources_(std::move(resources)),
      queue_(std::move(queue)),
      objects_(objects),
      routes_(routes),
      clock_(clock),
      ask_(std::move(ask)),
      options_(options),
      looks_("asynchronous invocations", options.look_interval, [this] { look_and_tell(); }) {}

AsyncInvocations::~AsyncInvocations() {
  stop();
}

void AsyncInvocations::start() {
  if (pool_) return;
  given_up_ = false;
  pool_ = std::make_unique<ThreadPool>(options_.at_once);
  looks_.start();
}

void AsyncInvocations::stop() {
  given_up_ = true;
  looks_.stop();
  pool_.reset();
}

Result<AsyncTicket> AsyncInvocations::accept(const std::string& endpoint, const AsyncSpec& async,
                                             const AsyncRequest& request) {
  AsyncInvocation made;
  made.id = crypto::random_uuid();
  made.input = request.input;
  made.output = object_below(async.output, made.id + ".out");
  if (!async.failure.empty()) made.failure = object_below(async.failure, made.id + "-error.out");
  made.content_type = request.content_type;
  made.accept = request.accept;
  made.custom_attributes = request.custom_attributes;
  made.inference_id = request.inference_id.empty() ? made.id : request.inference_id;
  made.accepted = made.not_before = clock_.now();
  made.deadline = made.accepted + request.time_to_live;
  made.time = request.time;
  TERRAPIN_TRY_STATUS(resources_.database().write([&](storage::Transaction& state) -> Status {
    // Read here: whoever deletes the endpoint comes before or after this, and then ends the request.
    TERRAPIN_TRY(const Resource row, resources_.find(state, kEndpointKind, endpoint));
    if (row.status == kEndpointDeleting)
      return fail(ErrorCode::kNotFound, "the endpoint '{}' is being deleted", row.name);
    TERRAPIN_TRY(const std::int64_t waiting, queue_.count(state, row.name));
    if (waiting >= options_.most_waiting)
      return fail(ErrorCode::kTooLarge, "{} of its requests wait, and no more are taken", waiting);
    made.endpoint = row.name;
    made.endpoint_made = row.created;
    return queue_.add(state, made);
  }));
  looks_.wake();
  return AsyncTicket{made.inference_id, made.output, made.failure};
}

void AsyncInvocations::look_and_tell() {
  if (const Status looked = look(); !looked)
    spdlog::error("asynchronous invocations: {}", looked.error().message);
}

// Gives the pool what may be begun. One thread alone calls it: what is held only grows here.
Status AsyncInvocations::look() {
  std::map<std::string, std::string> held;
  {
    const std::lock_guard lock(mutex_);
    held = held_;  // before rows are read: one that ends meanwhile may still be among them
  }
  const auto held_of = [&](const std::string& endpoint) {
    return static_cast<int>(
        std::count_if(held.begin(), held.end(), [&](const auto& one) { return one.second == endpoint; }));
  };
  const auto hand = [&](AsyncInvocation request, std::string refusal) {
    const std::string id = request.id;
    if (static_cast<int>(held.size()) >= options_.at_once || held.contains(id)) return;
    const std::lock_guard lock(mutex_);
    held_[id] = held[id] = lower_case(request.endpoint);
    pool_->submit([this, item = Item{std::move(request), std::move(refusal)}] { attend(item); });
  };
  const Timestamp now = clock_.now();
  TERRAPIN_TRY(auto expired, queue_.expired(now, 2 * options_.at_once));
  for (AsyncInvocation& one : expired)
    hand(std::move(one), "The request waited longer than its RequestTTLSeconds allow");
  TERRAPIN_TRY(auto lines, queue_.lines());
  // Another one is first each time: two endpoints with many requests leave the places of those that end to a
  // third.
  if (!lines.empty())
    std::rotate(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(turn_++ % lines.size()),
                lines.end());
  for (const AsyncQueue::Line& line : lines) {
    TERRAPIN_TRY(const bool gone, is_gone(line));
    const int most = gone ? options_.at_once_of_endpoint : allowed(line.endpoint);
    if (held_of(line.endpoint) >= most) continue;
    // Of as many as may be begun, some may be held already.
    TERRAPIN_TRY(auto waiting, gone ? queue_.all(line, most) : queue_.due(line, now, most));
    for (AsyncInvocation& one : waiting)
      if (held_of(line.endpoint) < most)
        hand(std::move(one), gone ? "The endpoint was deleted before the request had its turn" : "");
  }
  return {};
}

Result<bool> AsyncInvocations::is_gone(const AsyncQueue::Line& line) {
  const auto row = resources_.find(kEndpointKind, line.endpoint);
  if (!row && row.error().code == ErrorCode::kNotFound) return true;
  if (!row) return tl::unexpected<Error>(row.error());
  return row->status == kEndpointDeleting || row->created != line.endpoint_made;
}

// How many requests the endpoint's servers are asked at once.
int AsyncInvocations::allowed(const std::string& endpoint) const {
  const auto route = routes_.find(endpoint);
  if (!route) return 0;
  const int configured = route->asynchronous ? route->asynchronous->max_concurrent : 0;
  const int of_server = configured > 0 ? configured : options_.at_once_of_server;
  std::int64_t all = 0;
  for (const VariantRoute& variant : route->variants) {
    if (variant.weight <= 0) continue;
    for (const ServedInstancePtr& instance : variant.instances)
      if (instance->healthy.load()) all += of_server;
  }
  return static_cast<int>(std::min<std::int64_t>(all, options_.at_once_of_endpoint));
}

void AsyncInvocations::attend(const Item& item) {
  try {
    if (!given_up_) {
      if (!item.refusal.empty()) {
        refuse(item.request, item.refusal);
      } else {
        ask_for(item.request);
      }
    }
  } catch (const std::exception& problem) {
    // No memory for an answer, which is held whole: what else runs here goes on.
    try_again(item.request, problem.what());
  }
  {
    const std::lock_guard lock(mutex_);
    held_.erase(item.request.id);
  }
  looks_.wake();
}

void AsyncInvocations::ask_for(const AsyncInvocation& request) {
  const auto name = storage::parse_s3_uri(request.input);
  if (!name) return refuse(request, name.error().message);
  const auto input = objects_.get(*name);
  if (!input) {
    const std::string why = fmt::format("InputLocation {}: {}", request.input, input.error().message);
    return may_pass(input.error()) ? try_again(request, why) : refuse(request, why);
  }
  if (input->info.size > kMaxInvocationBytes)
    return refuse(request, fmt::format("InputLocation {} has {} bytes; at most {} are allowed", request.input,
                                       input->info.size, kMaxInvocationBytes));
  Invocation invocation;
  invocation.endpoint = request.endpoint;
  invocation.content_type = request.content_type;
  invocation.accept = request.accept;
  invocation.custom_attributes = request.custom_attributes;
  invocation.inference_id = request.inference_id;
  invocation.source = input->content.get();
  invocation.abandoned = &given_up_;
  invocation.time = request.time;
  const auto answer = ask_(invocation);
  if (answer) return keep(request, *answer);
  const InvocationFailure& failure = answer.error();
  switch (failure.kind) {
    case InvocationFailure::Kind::kModel:
    case InvocationFailure::Kind::kTimeout:
    case InvocationFailure::Kind::kTooLarge:
      return refuse(request, told(failure, request.time));
    case InvocationFailure::Kind::kBody:
      return try_again(request, failure.message);
    case InvocationFailure::Kind::kNotReady:
      // A photo that ends every server must not do so for ever.
      if (failure.went_away)
        return try_again(request, fmt::format("The model server went away: {}", failure.message));
      return wait_for_server(request);
    case InvocationFailure::Kind::kNoEndpoint:  // look() sees whether it is gone for good
    case InvocationFailure::Kind::kNoVariant:
      return wait_for_server(request);
    case InvocationFailure::Kind::kAbandoned:
      return;
  }
}

void AsyncInvocations::keep(const AsyncInvocation& request, const InvocationAnswer& answer) {
  const auto name = storage::parse_s3_uri(request.output);
  if (!name) return refuse(request, name.error().message);
  const auto written = objects_.put(*name, *borrowed_source(answer.body), answer.content_type);
  if (written) return end(request);
  const std::string why = fmt::format("{}: {}", request.output, written.error().message);
  if (may_pass(written.error())) return try_again(request, why);
  refuse(request, why);
}

void AsyncInvocations::try_again(const AsyncInvocation& request, const std::string& why) {
  if (request.tries + 1 >= options_.tries) return refuse(request, why);
  postpone(request, request.tries + 1, options_.pause * (1 << std::min(request.tries, 16)));
}

void AsyncInvocations::wait_for_server(const AsyncInvocation& request) {
  postpone(request, request.tries, options_.pause);
}

void AsyncInvocations::refuse(const AsyncInvocation& request, const std::string& why) {
  // Its answer may lie there already, of a service that was killed before it could say so.
  const auto output = storage::parse_s3_uri(request.output);
  if (output && objects_.head(*output)) return end(request);
  spdlog::warn("endpoint {}: asynchronous invocation {}: {}", request.endpoint, request.id, why);
  if (!request.failure.empty()) {
    const auto name = storage::parse_s3_uri(request.failure);
    const auto written = name ? objects_.put(*name, *bytes_source(why), kFailureType)
                              : Result<storage::ObjectInfo>(tl::unexpected<Error>(name.error()));
    if (!written) {
      spdlog::error("endpoint {}: {}: {}", request.endpoint, request.failure, written.error().message);
      // All begins anew, but not for ever.
      if (may_pass(written.error()) && request.tries < 2 * options_.tries)
        return postpone(request, request.tries + 1, options_.pause * (1 << std::min(request.tries, 16)));
    }
  }
  end(request);
}

void AsyncInvocations::end(const AsyncInvocation& request) {
  if (const Status ended = queue_.end(request.id); !ended)
    spdlog::error("endpoint {}: asynchronous invocation {}: {}", request.endpoint, request.id,
                  ended.error().message);
}

void AsyncInvocations::postpone(const AsyncInvocation& request, int tries, std::chrono::milliseconds pause) {
  const Status kept = queue_.postpone(request.id, tries, clock_.now() + std::min(pause, kLongestPause));
  if (!kept)
    spdlog::error("endpoint {}: asynchronous invocation {}: {}", request.endpoint, request.id,
                  kept.error().message);
}

}  // namespace terrapin::control
