#include "control/endpoint_capture.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "base/json_text.h"
#include "base/logging.h"
#include "base/text.h"
#include "crypto/secrets.h"

namespace terrapin::control {
namespace {

using nlohmann::ordered_json;
using Steady = std::chrono::steady_clock;

bool holds_type(const std::vector<std::string>& types, const std::string& given) {
  const std::string essence = lower_case(given.substr(0, given.find(';')));
  return std::any_of(types.begin(), types.end(),
                     [&](const std::string& one) { return lower_case(one) == essence; });
}

ordered_json side(const CaptureSpec& capture, const char* mode, const std::string& type,
                  std::span<const std::uint8_t> bytes) {
  const bool csv = holds_type(capture.csv_types, type), json = holds_type(capture.json_types, type);
  return {{"observedContentType", type},
          {"mode", mode},
          {"data", csv || json ? std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size())
                               : base64(bytes)},
          {"encoding", csv    ? "CSV"
                       : json ? "JSON"
                              : "BASE64"}};
}

}  // namespace

std::string capture_line(const CaptureSpec& capture, const CapturedInvocation& invocation) {
  ordered_json data = ordered_json::object();
  if (capture.wants("Input"))
    data["endpointInput"] = side(capture, "INPUT", invocation.input_type, invocation.input);
  if (capture.wants("Output"))
    data["endpointOutput"] = side(capture, "OUTPUT", invocation.output_type, invocation.output);
  ordered_json event{{"eventId", invocation.event_id}};
  if (!invocation.custom_attributes.empty())
    event["customAttributes"] = ordered_json::array({invocation.custom_attributes});
  if (!invocation.inference_id.empty()) event["inferenceId"] = invocation.inference_id;
  event["inferenceTime"] = iso_text(invocation.time) + "Z";
  const ordered_json line{
      {"captureData", std::move(data)}, {"eventMetadata", std::move(event)}, {"eventVersion", "0"}};
  return json_text(line) + "\n";
}

storage::ObjectName capture_object(const std::string& destination, const CapturedInvocation& invocation,
                                   const std::string& unique) {
  storage::ObjectName name = storage::parse_s3_uri(destination).value_or(storage::ObjectName{});
  if (!name.key.empty() && name.key.back() != '/') name.key += '/';
  const std::string time = iso_text(invocation.time, 3);  // "2026-01-31T12:05:06.789"
  name.key += fmt::format("{}/{}/{}/{}/{}/{}/{}-{}-{}-{}.jsonl", invocation.endpoint, invocation.variant,
                          time.substr(0, 4), time.substr(5, 2), time.substr(8, 2), time.substr(11, 2),
                          time.substr(14, 2), time.substr(17, 2), time.substr(20, 3), unique);
  return name;
}

EndpointCapture::EndpointCapture(storage::ObjectStore& objects, CaptureOptions options)
    : objects_(objects),
      options_(options),
      thread_("captured invocations", options_.interval / 2, [this] { write_ripe(); }) {}

EndpointCapture::~EndpointCapture() {
  stop();
}

void EndpointCapture::stop() {
  thread_.stop();
  (void)flush();  // logged there
  const std::lock_guard lock(mutex_);
  std::int64_t lost = 0;
  for (const auto& [key, batch] : waiting_) lost += std::count(batch.lines.begin(), batch.lines.end(), '\n');
  if (lost > 0) spdlog::error("{} captured invocations could not be written before the end", lost);
  waiting_.clear();
  waiting_bytes_ = 0;
}

void EndpointCapture::add(const CaptureSpec& capture, const CapturedInvocation& invocation) {
  std::string line = capture_line(capture, invocation);
  const std::string key = capture.destination + "\n" + invocation.endpoint + "\n" + invocation.variant;
  const std::lock_guard lock(mutex_);
  const auto bytes = static_cast<std::int64_t>(line.size());
  if (waiting_bytes_ + bytes > options_.max_waiting_bytes) {
    ++lost_lines_;
    return;
  }
  Batch& batch = waiting_[key];
  if (batch.lines.empty()) {
    batch.object = capture_object(capture.destination, invocation, crypto::random_uuid());
    batch.since = Steady::now();
  }
  batch.lines += line;
  waiting_bytes_ += bytes;
  if (static_cast<std::int64_t>(batch.lines.size()) >= options_.max_object_bytes &&
      Steady::now() >= batch.not_before)
    thread_.wake();
}

Status EndpointCapture::flush() {
  std::map<std::string, Batch> batches;
  {
    const std::lock_guard lock(mutex_);
    batches.swap(waiting_);
  }
  return write(std::move(batches));
}

Status EndpointCapture::write(std::map<std::string, Batch> batches) {
  Status first;
  for (auto& [key, batch] : batches) {
    const auto written = objects_.put(batch.object, *bytes_source(batch.lines), "application/x-jsonlines");
    const std::lock_guard lock(mutex_);
    if (written) {
      waiting_bytes_ -= static_cast<std::int64_t>(batch.lines.size());
      continue;
    }
    spdlog::error("captured invocations of {}: {}", storage::s3_uri(batch.object), written.error().message);
    if (first) first = tl::unexpected<Error>(written.error());
    // Before what has come since, after a pause.
    Batch& later = waiting_[key];
    later.object = batch.object;
    later.lines.insert(0, batch.lines);
    later.since = batch.since;
    later.not_before = Steady::now() + options_.interval;
  }
  std::int64_t lost = 0;
  {
    const std::lock_guard lock(mutex_);
    std::swap(lost, lost_lines_);
  }
  if (lost > 0) spdlog::error("{} invocations were not captured: the object store is too slow", lost);
  return first;
}

void EndpointCapture::write_ripe() {
  std::map<std::string, Batch> ripe;
  {
    const std::lock_guard lock(mutex_);
    const auto now = Steady::now();
    for (auto one = waiting_.begin(); one != waiting_.end();) {
      const auto bytes = static_cast<std::int64_t>(one->second.lines.size());
      const bool early = now - one->second.since < options_.interval / 2 && bytes < options_.max_object_bytes;
      if (early || now < one->second.not_before) {
        ++one;
        continue;
      }
      ripe.insert(waiting_.extract(one++));
    }
  }
  if (!ripe.empty()) (void)write(std::move(ripe));  // logged there
}

}  // namespace terrapin::control
