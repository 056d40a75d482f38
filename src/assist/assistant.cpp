#include "assist/assistant.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include "artifacts/safetensors.h"
#include "assist/classical.h"
#include "assist/stopped.h"
#include "assist/turns.h"
#include "base/digest.h"
#include "base/parallel.h"
#include "inference/executor.h"
#include "networks/assist_model.h"

namespace terrapin::assist {
namespace {

using networks::CropFrame;

// Of the classical method, whatever network is loaded.
constexpr networks::FrameOptions kClassicalFrame{257, 0.18, 2};

double ms_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

Result<std::unique_ptr<inference::Executor>> make_executor(std::shared_ptr<const networks::Graph> graph,
                                                           const std::string& backend, int threads,
                                                           int callers) {
  const inference::ExecutorOptions options{threads, std::max(2, callers)};
  if (backend == "onednn" ||
      (backend == "auto" && !inference::cuda_available() && inference::onednn_available())) {
    return inference::make_onednn_executor(std::move(graph), options);
  }
  if (backend == "torch" || backend == "cuda" || backend == "auto") {
    const bool cuda = backend == "cuda" || (backend == "auto" && inference::cuda_available());
    return inference::make_torch_executor(std::move(graph), options, cuda);
  }
  return fail(ErrorCode::kInvalidArgument, "backend '{}' is unknown: allowed are auto, onednn, torch, cuda",
              backend);
}

class AssistantOfModel final : public Assistant {
 public:
  AssistantOfModel(const AssistantOptions& options, int threads, int at_a_time)
      : options_(options),
        threads_(threads),
        turns_(options.turns ? options.turns : std::make_shared<Turns>(at_a_time)) {}

  Status load_network(const std::filesystem::path& path, int at_a_time) {
    TERRAPIN_TRY(const networks::AssistModel model, networks::read_assist_model(path));
    auto graph = networks::assist_graph(model);
    if (!graph) return with_context(graph.error(), path.string());
    spec_ = model.spec;
    digest_ = sha256_hex(artifacts::serialize_safetensors(model.weights));
    output_ = graph->output;
    TERRAPIN_TRY(executor_, make_executor(std::make_shared<const networks::Graph>(std::move(*graph)),
                                          options_.backend, threads_, at_a_time));
    return {};
  }

  bool has_network() const override { return executor_ != nullptr; }
  bool has_classical() const override { return classical_available(); }
  std::string model_digest() const override { return digest_; }

  Result<std::shared_ptr<const OpenPhoto>> open(imaging::Image photo) const override {
    TERRAPIN_TRY(OpenPhoto opened, OpenPhoto::open(std::move(photo), threads_));
    return std::make_shared<const OpenPhoto>(std::move(opened));
  }

  Result<Answer> segment(const OpenPhoto& photo, const Prompt& asked, std::stop_token stop) const override {
    TERRAPIN_TRY_STATUS(check_prompt(asked, photo.size()));
    Answer answer;
    answer.method = asked.method != Method::kAuto ? asked.method
                    : has_network()               ? Method::kNetwork
                                                  : Method::kClassical;
    if (answer.method == Method::kNetwork && !has_network()) {
      return fail(ErrorCode::kUnsupported, "no assistance model is loaded; the classical method may serve");
    }
    const std::optional<Turns::Turn> turn = turns_->take(stop);
    if (!turn || stop.stop_requested()) return stopped();
    Prompt prompt = asked;
    TERRAPIN_TRY_STATUS(decode_previous(prompt));

    const CropFrame frame =
        networks::make_frame(photo.size(), prompt_box(prompt, photo.size()),
                             answer.method == Method::kNetwork ? spec_.frame() : kClassicalFrame);
    auto start = std::chrono::steady_clock::now();
    const imaging::Image crop = photo.crop(frame, threads_);
    answer.crop_ms = ms_since(start);

    start = std::chrono::steady_clock::now();
    std::vector<float> logits;
    if (answer.method == Method::kNetwork) {
      TERRAPIN_TRY(logits, network_logits(crop, frame, prompt));
    } else {
      ClassicalPrompt points{to_crop(frame, prompt.extremes),
                             to_crop(frame, prompt.positive),
                             to_crop(frame, prompt.negative),
                             {}};
      if (prompt.previous) {
        points.previous.resize(static_cast<std::size_t>(frame.side() * frame.side()));
        networks::write_previous(frame, prompt.previous->mask, prompt.previous->box,
                                 {points.previous.data(), frame.side(), 1});
      }
      TERRAPIN_TRY(logits, classical_logits(crop, points, stop));
    }
    answer.compute_ms = ms_since(start);
    if (stop.stop_requested()) return stopped();

    start = std::chrono::steady_clock::now();
    TERRAPIN_TRY(answer.object,
                 refine(photo, frame, std::move(logits), prompt, options_.refine, threads_, stop));
    answer.refine_ms = ms_since(start);
    return answer;
  }

 private:
  static std::vector<networks::CropPoint> to_crop(const CropFrame& frame,
                                                  const std::vector<imaging::Pixel>& points) {
    std::vector<networks::CropPoint> result;
    for (const imaging::Pixel& point : points) result.push_back(frame.to_crop(point));
    return result;
  }

  Result<std::vector<float>> network_logits(const imaging::Image& crop, const CropFrame& frame,
                                            const Prompt& prompt) const {
    const std::int64_t side = frame.side();
    inference::Tensor input({1, networks::kPromptChannels, side, side});
    networks::CropPrompt told;
    told.extremes = to_crop(frame, prompt.extremes);
    told.positive = to_crop(frame, prompt.positive);
    told.negative = to_crop(frame, prompt.negative);
    if (prompt.previous) told.previous = &prompt.previous->mask, told.previous_box = prompt.previous->box;
    networks::write_input(crop, frame, told, spec_.point_radius, {input.plane(0, 0), side, 1, side * side});
    TERRAPIN_TRY(const auto results, executor_->run(input, {output_}));
    const inference::Tensor& logits = results.front();
    return std::vector<float>(logits.values.get(), logits.values.get() + logits.shape.count());
  }

  const AssistantOptions options_;
  const int threads_;
  networks::AssistSpec spec_;  // these four constant after load_network
  std::string digest_;
  int output_ = 0;
  std::unique_ptr<inference::Executor> executor_;  // synchronises itself
  const std::shared_ptr<Turns> turns_;             // synchronises itself
};

}  // namespace

Result<std::shared_ptr<Assistant>> Assistant::load(const AssistantOptions& options) {
  const int threads = options.threads > 0 ? options.threads : available_cores();
  const int at_a_time = options.at_a_time > 0 ? options.at_a_time : std::max(1, available_cores() / threads);
  auto assistant = std::make_shared<AssistantOfModel>(options, threads, at_a_time);
  std::error_code ignored;
  const std::filesystem::path path = options.model.empty() ? networks::shipped_assist_model() : options.model;
  const bool optional = options.model.empty() && !std::filesystem::exists(path, ignored);
  if (options.use_model && !optional) {
    TERRAPIN_TRY_STATUS(assistant->load_network(path, at_a_time));
  }
  if (!assistant->has_network() && !assistant->has_classical()) {
    return fail(ErrorCode::kUnsupported,
                "no assistance: {} is missing and this build has no OpenCV (Debian: libopencv-imgproc-dev)",
                path.string());
  }
  return std::shared_ptr<Assistant>(std::move(assistant));
}

}  // namespace terrapin::assist
