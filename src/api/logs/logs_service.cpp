#include "api/logs/logs_service.h"

#include <algorithm>
#include <charconv>
#include <deque>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "api/errors.h"
#include "api/logs/filter_pattern.h"
#include "api/sagemaker/model_validation.h"
#include "api/sagemaker/operations/answers.h"
#include "base/base64.h"
#include "base/json_text.h"
#include "crypto/hash.h"

namespace terrapin::api {
namespace {

using control::LogGroup;
using control::LogSource;
using control::LogStream;
using nlohmann::json;

constexpr std::string_view kTargetStart = "Logs_20140328.";
constexpr std::int64_t kReadBytes = 1 << 20;    // of a log at a time
constexpr std::int64_t kAnswerBytes = 1 << 20;  // of messages in an answer, as AWS
constexpr std::int64_t kMessageOverhead = 26;   // that AWS counts for each
constexpr std::int64_t kMostEvents = 10'000;
constexpr int kMostDescribed = 50;
constexpr int kStreamsAtATime = 1000;

struct Context {
  control::ControlPlane& control;
  const Place& place;
  const identity::AccessKey& caller;
  const std::string& request_id;
};
using LogsOperation = AwsResult<json> (*)(const Context&, const json& input);

tl::unexpected<AwsError> invalid_parameter(std::string message) {
  return tl::unexpected<AwsError>(AwsError{400, "InvalidParameterException", std::move(message), {}});
}
tl::unexpected<AwsError> no_such(const char* thing) {
  return tl::unexpected<AwsError>(
      AwsError{400, "ResourceNotFoundException", fmt::format("The specified {} does not exist.", thing), {}});
}

template <class T>
AwsResult<T> told(const Context& context, Result<T> result, const char* thing) {
  if (result) return std::move(*result);
  if (result.error().code == ErrorCode::kNotFound) return no_such(thing);
  return tl::unexpected<AwsError>(internal_failure(Protocol::kJson, result.error(), context.request_id));
}

std::int64_t milliseconds(Timestamp time) {
  return to_microseconds(time) / 1000;
}

// An unknown bucket, "", is none of those that a key may use only.
bool may_read(const Context& context, const LogStream& stream) {
  return context.caller.may_use_bucket(stream.bucket);
}

struct Group {
  LogSource* source = nullptr;
  std::string name;
};

// By logGroupName, or by logGroupIdentifier: a name or an ARN.
AwsResult<Group> group_of(const Context& context, const json& input) {
  const bool named = input.contains("logGroupName"), identified = input.contains("logGroupIdentifier");
  if (named == identified)
    return invalid_parameter("Exactly one of logGroupName and logGroupIdentifier is needed.");
  std::string name = text_member(input, named ? "logGroupName" : "logGroupIdentifier");
  const std::string start =
      fmt::format("arn:aws:logs:{}:{}:log-group:", context.place.region, context.place.account_id);
  if (identified && name.starts_with(start)) name.erase(0, start.size());
  for (LogSource* source : context.control.log_sources()) {
    TERRAPIN_AWS_TRY(const auto groups, told(context, source->groups(name), "log group"));
    for (const LogGroup& group : groups)
      if (group.name == name) return Group{source, name};
  }
  return no_such("log group");
}

// Of the group, by `prefix`, after the name `after`, that the caller may read; ascending by name, at most
// `limit`.
AwsResult<std::vector<LogStream>> streams_of(const Context& context, const Group& group,
                                             const std::string& prefix, std::string after,
                                             std::size_t limit) {
  std::vector<LogStream> found;
  for (bool more = true; more && found.size() < limit;) {
    TERRAPIN_AWS_TRY(
        auto some,
        told(context, group.source->streams(group.name, prefix, after, kStreamsAtATime), "log group"));
    more = static_cast<int>(some.size()) == kStreamsAtATime;
    if (!some.empty()) after = some.back().name;
    for (LogStream& stream : some)
      if (may_read(context, stream) && found.size() < limit) found.push_back(std::move(stream));
  }
  return found;
}

AwsResult<LogStream> stream_of(const Context& context, const Group& group, const std::string& name) {
  TERRAPIN_AWS_TRY(LogStream stream, told(context, group.source->stream(group.name, name), "log stream"));
  if (!may_read(context, stream)) return no_such("log stream");
  return stream;
}

// Tokens of lists: the name that was last.
std::string token_of(const std::string& name) {
  return base64({reinterpret_cast<const std::uint8_t*>(name.data()), name.size()});
}
AwsResult<std::string> name_of_token(const json& input) {
  if (!input.contains("nextToken")) return std::string();
  Bytes bytes;
  if (!crypto::decode_base64(text_member(input, "nextToken"), bytes))
    return invalid_parameter("The specified nextToken is invalid.");
  return std::string(bytes.begin(), bytes.end());
}

struct Event {
  std::int64_t time_ms = 0;
  std::string message;
  std::int64_t begin = 0, end = 0;  // offsets of its line
};

// Which lines are events of an answer.
struct Wanted {
  std::int64_t from_ms = 0, until_ms = std::numeric_limits<std::int64_t>::max();
  std::optional<FilterPattern> pattern;

  bool takes(const Event& event) const {
    return !event.message.empty() && event.time_ms >= from_ms && event.time_ms < until_ms &&
           (!pattern || pattern->matches(event.message));
  }
};

Wanted wanted_of(const json& input) {
  Wanted wanted;
  wanted.from_ms = input.value("startTime", wanted.from_ms);
  wanted.until_ms = input.value("endTime", wanted.until_ms);
  return wanted;
}

// Calls `take` with every line from `offset` on, until it says no; where the next one begins.
template <class Take>
AwsResult<std::int64_t> each_line(const Context& context, const Group& group, const std::string& stream,
                                  std::int64_t offset, const Take& take) {
  for (;;) {
    TERRAPIN_AWS_TRY(const jobs::OutputPage page,
                     told(context, group.source->read(group.name, stream, offset, kReadBytes), "log stream"));
    for (const jobs::OutputLine& line : page.lines) {
      if (!take(Event{milliseconds(line.time), line.text, offset, line.next_offset})) return offset;
      offset = line.next_offset;
    }
    if (page.lines.empty()) return offset;
  }
}

std::int64_t cost(const Event& event) {
  return static_cast<std::int64_t>(event.message.size()) + kMessageOverhead;
}

// "f/<56 digits>/s": forward from an offset; "b/...": what is before it.
std::string event_token(char direction, std::int64_t offset) {
  return fmt::format("{}/{:056}/s", direction, offset);
}
struct EventToken {
  char direction = 'f';
  std::int64_t offset = 0;
};
std::optional<EventToken> parse_event_token(const std::string& text) {
  EventToken token;
  if (text.size() != 60 || (text[0] != 'f' && text[0] != 'b') || text[1] != '/' || !text.ends_with("/s"))
    return std::nullopt;
  token.direction = text[0];
  const char *begin = text.data() + 2, *end = text.data() + 58;
  const auto [stop, problem] = std::from_chars(begin, end, token.offset);
  if (problem != std::errc() || stop != end || token.offset < 0) return std::nullopt;
  return token;
}

json event_json(const Event& event) {
  return {{"timestamp", event.time_ms}, {"message", event.message}, {"ingestionTime", event.time_ms}};
}

AwsResult<json> describe_log_groups(const Context& context, const json& input) {
  for (const char* member : {"accountIdentifiers", "logGroupIdentifiers"})
    if (input.contains(member) && !input[member].empty())
      return invalid_parameter(fmt::format("{} is not served; use logGroupNamePrefix.", member));
  const std::string prefix = text_member(input, "logGroupNamePrefix");
  const std::string part = text_member(input, "logGroupNamePattern");
  if (!prefix.empty() && !part.empty())
    return invalid_parameter("logGroupNamePrefix and logGroupNamePattern cannot be given together.");
  const auto limit = input.value("limit", kMostDescribed);
  TERRAPIN_AWS_TRY(const std::string after, name_of_token(input));
  std::vector<LogGroup> groups;
  for (LogSource* source : context.control.log_sources()) {
    TERRAPIN_AWS_TRY(const auto some, told(context, source->groups(prefix), "log group"));
    for (const LogGroup& group : some)
      if (group.name > after && group.name.find(part) != std::string::npos) groups.push_back(group);
  }
  std::sort(groups.begin(), groups.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  json list = json::array();
  for (const LogGroup& group : groups) {
    if (static_cast<int>(list.size()) == limit) break;
    const std::string arn = fmt::format("arn:aws:logs:{}:{}:log-group:{}", context.place.region,
                                        context.place.account_id, group.name);
    list.push_back({{"logGroupName", group.name},
                    {"creationTime", milliseconds(group.created)},
                    {"metricFilterCount", 0},
                    {"arn", arn + ":*"},
                    {"logGroupArn", arn},
                    {"storedBytes", 0}});
  }
  json answer{{"logGroups", list}};
  if (list.size() < groups.size()) answer["nextToken"] = token_of(groups[list.size() - 1].name);
  return answer;
}

json stream_json(const Context& context, const Group& group, const LogStream& stream) {
  return {{"logStreamName", stream.name},
          {"creationTime", milliseconds(stream.created)},
          {"firstEventTimestamp", milliseconds(stream.created)},
          {"lastEventTimestamp", milliseconds(stream.last)},
          {"lastIngestionTime", milliseconds(stream.last)},
          {"arn", fmt::format("arn:aws:logs:{}:{}:log-group:{}:log-stream:{}", context.place.region,
                              context.place.account_id, group.name, stream.name)},
          {"storedBytes", 0}};
}

AwsResult<json> describe_log_streams(const Context& context, const json& input) {
  TERRAPIN_AWS_TRY(const Group group, group_of(context, input));
  const std::string prefix = text_member(input, "logStreamNamePrefix");
  const bool by_time = text_member(input, "orderBy") == "LastEventTime";
  const bool descending = input.value("descending", false);
  if (by_time && !prefix.empty())
    return invalid_parameter("Cannot order by LastEventTime with a logStreamNamePrefix.");
  const auto limit = static_cast<std::size_t>(input.value("limit", kMostDescribed));
  TERRAPIN_AWS_TRY(const std::string after, name_of_token(input));
  std::vector<LogStream> streams;
  if (!by_time && !descending) {
    TERRAPIN_AWS_TRY(streams, streams_of(context, group, prefix, after, limit + 1));
  } else {
    // Another order than that of the source: all of them.
    TERRAPIN_AWS_TRY(streams,
                     streams_of(context, group, prefix, "", std::numeric_limits<std::size_t>::max()));
    if (by_time)
      std::stable_sort(streams.begin(), streams.end(),
                       [](const auto& a, const auto& b) { return a.last < b.last; });
    if (descending) std::reverse(streams.begin(), streams.end());
    if (!after.empty()) {
      const auto last =
          std::find_if(streams.begin(), streams.end(), [&](const auto& one) { return one.name == after; });
      if (last == streams.end()) return invalid_parameter("The specified nextToken is invalid.");
      streams.erase(streams.begin(), last + 1);
    }
  }
  json list = json::array();
  for (std::size_t i = 0; i < std::min(limit, streams.size()); ++i)
    list.push_back(stream_json(context, group, streams[i]));
  json answer{{"logStreams", list}};
  if (streams.size() > limit) answer["nextToken"] = token_of(streams[limit - 1].name);
  return answer;
}

AwsResult<json> get_log_events(const Context& context, const json& input) {
  TERRAPIN_AWS_TRY(const Group group, group_of(context, input));
  TERRAPIN_AWS_TRY(const LogStream stream, stream_of(context, group, text_member(input, "logStreamName")));
  const Wanted wanted = wanted_of(input);
  const auto limit = static_cast<std::size_t>(input.value("limit", kMostEvents));
  EventToken token{input.value("startFromHead", false) ? 'f' : 'b', 0};
  bool to_end = token.direction == 'b';  // before the end, wherever it is
  if (input.contains("nextToken")) {
    const auto parsed = parse_event_token(text_member(input, "nextToken"));
    if (!parsed) return invalid_parameter("The specified nextToken is invalid.");
    token = *parsed;
    to_end = false;
  }
  std::deque<Event> events;
  std::int64_t bytes = 0, begin = token.offset, end = token.offset;
  if (token.direction == 'f') {
    TERRAPIN_AWS_TRY(end, each_line(context, group, stream.name, token.offset, [&](const Event& event) {
                       if (!wanted.takes(event)) return true;
                       if (events.size() == limit || (!events.empty() && bytes + cost(event) > kAnswerBytes))
                         return false;
                       bytes += cost(event);
                       events.push_back(event);
                       return true;
                     }));
  } else {
    TERRAPIN_AWS_TRY(end, each_line(context, group, stream.name, 0, [&](const Event& event) {
                       if (!to_end && event.begin >= token.offset) return false;
                       if (!wanted.takes(event)) return true;
                       bytes += cost(event);
                       events.push_back(event);
                       while (events.size() > limit || (events.size() > 1 && bytes > kAnswerBytes)) {
                         bytes -= cost(events.front());
                         events.pop_front();
                       }
                       return true;
                     }));
    if (!to_end) end = token.offset;
    begin = events.empty() ? end : events.front().begin;
  }
  json list = json::array();
  for (const Event& event : events) list.push_back(event_json(event));
  return json{{"events", std::move(list)},
              {"nextForwardToken", event_token('f', end)},
              {"nextBackwardToken", event_token('b', begin)}};
}

// "<offset> <stream>": where the next answer goes on.
struct FilterToken {
  std::int64_t offset = 0;
  std::string stream;
};
AwsResult<FilterToken> filter_token(const json& input) {
  TERRAPIN_AWS_TRY(const std::string text, name_of_token(input));
  FilterToken token;
  if (text.empty()) return token;
  const std::size_t space = text.find(' ');
  const auto [stop, problem] = std::from_chars(text.data(), text.data() + text.size(), token.offset);
  if (problem != std::errc() || space == std::string::npos || stop != text.data() + space || token.offset < 0)
    return invalid_parameter("The specified nextToken is invalid.");
  token.stream = text.substr(space + 1);
  return token;
}

AwsResult<json> filter_log_events(const Context& context, const json& input) {
  TERRAPIN_AWS_TRY(const Group group, group_of(context, input));
  const auto names = input.value("logStreamNames", std::vector<std::string>());
  const std::string prefix = text_member(input, "logStreamNamePrefix");
  if (!names.empty() && !prefix.empty())
    return invalid_parameter("logStreamNames and logStreamNamePrefix cannot be given together.");
  Wanted wanted = wanted_of(input);
  if (auto pattern = FilterPattern::parse(text_member(input, "filterPattern")); pattern) {
    wanted.pattern = std::move(*pattern);
  } else {
    return invalid_parameter("Invalid filter pattern: " + pattern.error().message + ".");
  }
  TERRAPIN_AWS_TRY(const FilterToken token, filter_token(input));
  const auto limit = static_cast<std::size_t>(input.value("limit", kMostEvents));
  std::vector<LogStream> streams;
  for (const std::string& name : names) {
    TERRAPIN_AWS_TRY(LogStream stream, stream_of(context, group, name));
    streams.push_back(std::move(stream));
  }
  if (names.empty()) {
    TERRAPIN_AWS_TRY(streams,
                     streams_of(context, group, prefix, "", std::numeric_limits<std::size_t>::max()));
  }
  std::sort(streams.begin(), streams.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  std::vector<std::pair<Event, const LogStream*>> events;
  std::int64_t bytes = 0;
  std::string next;
  for (const LogStream& stream : streams) {
    if (stream.name < token.stream) continue;
    // Written before what is asked for, or after.
    if (milliseconds(stream.created) >= wanted.until_ms) continue;
    bool full = false;
    const std::int64_t begin = stream.name == token.stream ? token.offset : 0;
    TERRAPIN_AWS_TRY(
        const std::int64_t end, each_line(context, group, stream.name, begin, [&](const Event& event) {
          if (!wanted.takes(event)) return true;
          full = events.size() == limit || (!events.empty() && bytes + cost(event) > kAnswerBytes);
          if (full) return false;
          bytes += cost(event);
          events.emplace_back(event, &stream);
          return true;
        }));
    if (!full) continue;
    next = fmt::format("{} {}", end, stream.name);
    break;
  }
  std::stable_sort(events.begin(), events.end(),
                   [](const auto& a, const auto& b) { return a.first.time_ms < b.first.time_ms; });
  json list = json::array();
  for (const auto& [event, stream] : events) {
    json one = event_json(event);
    one["logStreamName"] = stream->name;
    one["eventId"] = fmt::format("{:020}{:036}", event.time_ms, event.begin);
    list.push_back(std::move(one));
  }
  json answer{{"events", std::move(list)}, {"searchedLogStreams", json::array()}};
  if (!next.empty()) answer["nextToken"] = token_of(next);
  return answer;
}

struct Route {
  std::string_view operation;
  LogsOperation run;
};
constexpr Route kRoutes[] = {
    {"DescribeLogGroups", &describe_log_groups},
    {"DescribeLogStreams", &describe_log_streams},
    {"FilterLogEvents", &filter_log_events},
    {"GetLogEvents", &get_log_events},
};

}  // namespace

std::vector<std::string_view> LogsService::operations() {
  std::vector<std::string_view> names;
  for (const Route& route : kRoutes) names.push_back(route.operation);
  return names;
}

AwsResult<std::string> LogsService::answer(const Exchange& exchange) {
  const std::string_view target = exchange.request.headers.find("X-Amz-Target").value_or(std::string_view());
  const std::string_view operation =
      target.starts_with(kTargetStart) ? target.substr(kTargetStart.size()) : std::string_view();
  const Route* route = std::find_if(std::begin(kRoutes), std::end(kRoutes),
                                    [&](const Route& one) { return one.operation == operation; });
  if (exchange.request.method != "POST" || exchange.request.path != "/" || route == std::end(kRoutes)) {
    return tl::unexpected<AwsError>(AwsError{
        400,
        "UnknownOperationException",
        fmt::format("The operation \"{}\" is not served; served are, as X-Amz-Target: {}<operation>: {}",
                    target.substr(0, 128), kTargetStart, fmt::join(operations(), ", ")),
        {}});
  }
  if (!exchange.caller) {
    return tl::unexpected<AwsError>(
        AwsError{403, "MissingAuthenticationTokenException", "The request carries no signature.", {}});
  }
  std::string text;
  if (exchange.body) {
    auto read = read_all_text(*exchange.body, kMaxRequestBytes);
    if (!read && read.error().code == ErrorCode::kTooLarge)
      return refuse("SerializationException", "The request has {} bytes; at most {} are read",
                    exchange.body->size(), kMaxRequestBytes);
    if (!read)
      return tl::unexpected<AwsError>(internal_failure(Protocol::kJson, read.error(), exchange.request_id));
    text = std::move(*read);
  }
  auto input = ServiceModel::logs().read_request(operation, text);
  if (!input) {
    // This service's word for it.
    if (input.error().code == "ValidationException") input.error().code = "InvalidParameterException";
    return tl::unexpected<AwsError>(std::move(input.error()));
  }
  const Context context{control_, place_, *exchange.caller, exchange.request_id};
  TERRAPIN_AWS_TRY(const json result, route->run(context, *input));
  return json_text(result);
}

http::Response LogsService::handle(const Exchange& exchange) {
  const auto text = answer(exchange);
  if (!text) return json_error(text.error(), exchange.request_id);
  auto response = http::Response::text(200, "application/x-amz-json-1.1", *text);
  set_request_id(Protocol::kJson, response, exchange.request_id);
  return response;
}

}  // namespace terrapin::api
