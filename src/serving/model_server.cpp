#include "serving/model_server.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json_text.h"
#include "base/parallel.h"
#include "imaging/codecs.h"
#include "serving/answers.h"
#include "serving/photo_request.h"
#include "serving/record.h"

namespace terrapin::serving {
namespace {

using http::Request;
using http::Response;

constexpr const char* kCustomAttributes = "X-Amzn-SageMaker-Custom-Attributes";  // of the hosting contract

// Runs `work` while holding one of the cores.
template <class Work>
auto in_turn(std::counting_semaphore<>& cores, const Work& work) {
  struct Release {
    std::counting_semaphore<>& cores;
    ~Release() { cores.release(); }
  };
  cores.acquire();
  const Release release{cores};
  return work();
}

Response try_again(const std::string& why) {
  Response response = Response::error(503, why);
  response.headers.set("Retry-After", "1");
  return response;
}
Response still_loading() {
  return try_again("the model is being loaded");
}

// Photo (RGB), mask, and where asked for float probabilities and their encoded copy.
std::int64_t bytes_for(const PhotoRequest& wanted, int classes) {
  const std::int64_t pixels = wanted.photo.size.area();
  const std::int64_t probabilities = wanted.answer == AnswerType::kRecord ? std::int64_t{8} * classes : 0;
  return pixels * (3 + 1 + probabilities);
}

Result<Response> encode_answer(const PhotoRequest& wanted, const inference::Prediction& prediction,
                               const artifacts::ClassList& classes) {
  const std::string content_type(wanted.content_type);
  switch (wanted.answer) {
    case AnswerType::kPng: {
      TERRAPIN_TRY(Bytes body, imaging::encode_indexed_png(prediction.mask, classes.palette()));
      return Response::bytes(200, content_type, std::move(body));
    }
    case AnswerType::kRecord: {
      if (!prediction.probabilities) return fail(ErrorCode::kInternal, "the predictor gave no probabilities");
      TERRAPIN_TRY(Bytes body, encode_probabilities(*prediction.probabilities));
      return Response::bytes(200, content_type, std::move(body));
    }
    case AnswerType::kJson: {
      TERRAPIN_TRY(const std::string body, encode_json_answer(prediction.mask, classes));
      return Response::text(200, content_type, body);
    }
  }
  return fail(ErrorCode::kInternal, "unknown answer type");
}

}  // namespace

ModelServer::ModelServer(const ModelServerOptions& options)
    : options_(options),
      threads_(options.threads > 0 ? options.threads : available_cores()),
      cores_(threads_),
      memory_(options.max_memory_bytes) {}

ModelServer::~ModelServer() {
  if (server_) server_->stop();
}

// Requests worked on at one time: a full batch computing while the next one is decoded and the last one
// encoded.
int ModelServer::concurrency() const {
  return options_.batching.max_batch + 2 * threads_;
}

Result<std::unique_ptr<ModelServer>> ModelServer::start(const ModelServerOptions& options) {
  std::unique_ptr<ModelServer> self(new ModelServer(options));
  http::Router router;
  router.add(
      "GET", "/ping",
      [&server = *self](const Request& request) -> Result<Response> {
        return server.misdirected(request).value_or(server.ping());
      },
      http::RunsOn::kQuick);
  router.add(
      "GET", "/execution-parameters",
      [&server = *self](const Request&) -> Result<Response> { return server.execution_parameters(); },
      http::RunsOn::kQuick);
  router.add("POST", "/invocations",
             [&server = *self](const Request& request) { return server.invoke(request); });

  http::ServerOptions http_options = options.http;
  http_options.handler_threads = self->concurrency();
  http_options.max_pending_requests = self->concurrency() + options.max_waiting_requests;
  TERRAPIN_TRY(self->server_, http::Server::start(std::move(router), std::move(http_options)));
  return self;
}

void ModelServer::set_model(std::shared_ptr<inference::Predictor> predictor) {
  auto model = std::make_shared<Batcher>(std::move(predictor), options_.batching);
  const std::lock_guard lock(mutex_);
  model_.swap(model);
}

std::shared_ptr<Batcher> ModelServer::model() const {
  const std::lock_guard lock(mutex_);
  return model_;
}

std::size_t ModelServer::waiting_for_engine() const {
  const auto batcher = model();
  return batcher ? batcher->waiting() : 0;
}

std::optional<Response> ModelServer::misdirected(const Request& request) const {
  const auto asked = request.headers.find("X-Terrapin-Instance");
  if (options_.instance.empty() || !asked || *asked == options_.instance) return std::nullopt;
  return Response::error(421, "another model server has this address now");
}

Response ModelServer::ping() const {
  return model() ? Response::json(200, R"({"status":"ready"})") : still_loading();
}

Response ModelServer::execution_parameters() const {
  const nlohmann::json document{
      {"MaxConcurrentTransforms", concurrency()},
      {"BatchStrategy", "SINGLE_RECORD"},
      {"MaxPayloadInMB", std::max<std::int64_t>(1, options_.http.max_body_bytes >> 20)}};
  return Response::json(200, json_text(document));
}

Result<Response> ModelServer::invoke(const Request& request) {
  if (auto refusal = misdirected(request)) return std::move(*refusal);
  auto answer = answer_photo(request);
  // Told back as it is, for callers that follow their requests.
  const auto attributes = request.headers.find(kCustomAttributes);
  if (answer && attributes) answer->headers.set(kCustomAttributes, std::string(*attributes));
  return answer;
}

Result<Response> ModelServer::answer_photo(const Request& request) {
  const auto model = this->model();
  if (!model) return still_loading();
  const artifacts::ClassList& classes = model->predictor().spec().classes;
  const auto wanted = read_photo_request(request, options_.max_pixels, classes.size());
  if (!wanted) return wanted.error();

  const auto lease = memory_.try_take(bytes_for(*wanted, classes.size()));
  if (!lease) return try_again("too many large photos are being worked on");

  std::optional<Batcher::Announcement> announcement;
  auto photo = in_turn(cores_, [&] {
    // Only now, so that others wait only for photos that are about to be ready.
    announcement.emplace(*model);
    return imaging::decode_photo(request.body, {options_.max_pixels});
  });
  if (!photo) return answer_decode_error(photo.error());

  TERRAPIN_TRY(
      const inference::Prediction prediction,
      model->predict(*announcement, *photo, wanted->answer == AnswerType::kRecord, request.client_gone));
  *photo = imaging::Image();  // its memory is worth more to others now
  return in_turn(cores_, [&] { return encode_answer(*wanted, prediction, classes); });
}

}  // namespace terrapin::serving
