// terrapin autosegment: four points on a photo -> the object's mask.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "assist/assistant.h"
#include "base/files.h"
#include "base/json_text.h"
#include "cli/command.h"
#include "imaging/codecs.h"
#include "imaging/drawing.h"

namespace terrapin::cli {
namespace {

namespace fs = std::filesystem;

struct AutosegmentOptions {
  fs::path image, output, overlay;
  std::string points, positive, negative, mask;
  bool classical = false;
  assist::AssistantOptions assistant;
};

Result<assist::Prompt> prompt_of(const AutosegmentOptions& options) {
  assist::Prompt prompt;
  TERRAPIN_TRY(prompt.extremes, assist::parse_points(options.points, "--points"));
  TERRAPIN_TRY(prompt.positive, assist::parse_points(options.positive, "--positive"));
  TERRAPIN_TRY(prompt.negative, assist::parse_points(options.negative, "--negative"));
  prompt.method = options.classical ? assist::Method::kClassical : assist::Method::kAuto;
  return prompt;
}

// Any label but 0 and 255 is the object.
Result<assist::BoxedMask> read_previous(const fs::path& path, imaging::Size photo) {
  TERRAPIN_TRY(imaging::Mask mask, imaging::read_label_mask(path));
  if (mask.size() != photo) {
    return fail(ErrorCode::kInvalidArgument, "{} is {} x {}, the photo {} x {}: they must agree",
                path.string(), mask.width(), mask.height(), photo.width, photo.height);
  }
  for (std::uint8_t& label : mask.bytes()) label = label != 0 && label != imaging::Mask::kIgnore ? 1 : 0;
  return assist::tight(mask, {0, 0});
}

Result<int> run(const AutosegmentOptions& options, const Invocation& invocation) {
  assist::Prompt prompt = require_usage(prompt_of(options));
  TERRAPIN_TRY(imaging::Image image, imaging::read_photo(options.image));
  const imaging::Size size = image.size();
  if (!options.mask.empty()) {
    TERRAPIN_TRY(prompt.previous, read_previous(options.mask, size));
  }
  if (auto status = assist::check_prompt(prompt, size); !status) {
    return with_context(status.error(), options.image.string());
  }
  TERRAPIN_TRY(const auto assistant, assist::Assistant::load(options.assistant));
  TERRAPIN_TRY(const auto photo, assistant->open(std::move(image)));
  TERRAPIN_TRY(const assist::Answer answer, assistant->segment(*photo, prompt));

  const imaging::Mask mask = assist::whole(answer.object, size);
  const imaging::Palette palette{{255, 255, 255}, {44, 160, 44}};
  TERRAPIN_TRY(const Bytes bytes, imaging::encode_indexed_png(mask, palette));
  TERRAPIN_TRY_STATUS(write_file_atomically(options.output, bytes));
  if (!options.overlay.empty()) {
    TERRAPIN_TRY(const Bytes picture, imaging::encode_jpeg(imaging::overlay(photo->photo(), mask, palette)));
    TERRAPIN_TRY_STATUS(write_file_atomically(options.overlay, picture));
  }
  const auto area = std::count(answer.object.mask.bytes().begin(), answer.object.mask.bytes().end(), 1);
  const imaging::Box& box = answer.object.box;
  if (invocation.json) {
    fmt::print(
        "{}\n",
        json_text(
            {{"mask", options.output.string()},
             {"method", assist::method_name(answer.method)},
             {"box", {box.x, box.y, box.width, box.height}},
             {"area", area},
             {"milliseconds",
              {{"crop", answer.crop_ms}, {"compute", answer.compute_ms}, {"refine", answer.refine_ms}}}},
            2));
  } else {
    fmt::print("{}: {} pixels in {} x {} at {},{} ({}, {:.0f} ms)\n", options.output.string(), area,
               box.width, box.height, box.x, box.y, assist::method_name(answer.method),
               answer.crop_ms + answer.compute_ms + answer.refine_ms);
  }
  return 0;
}

}  // namespace

void add_autosegment_command(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<AutosegmentOptions>();
  CLI::App* command =
      app.add_subcommand("autosegment", "The mask of one object, from its four outermost points on a photo");
  command->add_option("--image", options->image, "Photo")->required();
  command->add_option(
      "--points", options->points,
      "Top-most, left-most, bottom-most and right-most point: \"X,Y X,Y X,Y X,Y\", in any order");
  command->add_option("--positive", options->positive, "Points that belong to the object: \"X,Y X,Y\"");
  command->add_option("--negative", options->negative, "Points that do not");
  command->add_option("--mask", options->mask,
                      "The mask so far, a PNG of the photo's size (0 = not the object): it is refined");
  command->add_option("--output", options->output, "PNG to write: 1 = object, 0 = not, of the photo's size")
      ->required();
  command->add_option("--overlay", options->overlay, "Also this JPEG: the photo with the object tinted");
  auto* model =
      command->add_option("--model", options->assistant.model,
                          "assist.safetensors, or train-assist's folder (default: the one that ships)");
  command
      ->add_flag("--classical", options->classical,
                 "GrabCut instead of the network: for pictures unlike photos")
      ->excludes(model);
  command->add_option("--threads", options->assistant.threads, "Cores to use (default: all)")
      ->check(CLI::NonNegativeNumber);
  add_backend_option(*command, options->assistant.backend);
  command->add_flag("--json", invocation.json, "Print what was found as JSON");
  command->callback([options, &invocation] {
    options->assistant.use_model = !options->classical;
    invocation.action = [options, &invocation] { return run(*options, invocation); };
  });
}

}  // namespace terrapin::cli
