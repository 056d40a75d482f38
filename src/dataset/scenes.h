// Small photo-like scenes with exact masks, made from a seed: for the demo, the tests and the benchmarks, on
// machines that have no data of their own.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "artifacts/channels.h"
#include "artifacts/class_list.h"
#include "base/result.h"

namespace terrapin::dataset {

struct SceneOptions {
  imaging::Size size{320, 240};
  int class_count = 3;  // background included, 2..6: BACKGROUND, Turtle, Fish, Starfish, Coral, Diver
  std::uint64_t seed = 1;
};

artifacts::ClassList scene_classes(int class_count);

// The same options and index give the same bytes on every machine. Textured ground with light, shade and
// noise; objects differ from the ground in texture and colour, overlap, touch the border, and take 2..40 % of
// the pixels.
artifacts::LabeledPhoto make_scene(const SceneOptions& options, std::uint64_t index);

// Writes `count` scenes under `folder` as a Ground Truth output of job `job_name`: photos/*.jpg,
// <job>/manifests/output/output.manifest (s3://scenes/... sources, attribute "<job>-ref"),
// <job>/annotations/consolidated-annotation/output/<index>_<time>.png. Resolve with --s3-root
// scenes=<folder>.
Status write_scene_output(const std::filesystem::path& folder, std::int64_t count,
                          const SceneOptions& options, const std::string& job_name = "labelscenes");

}  // namespace terrapin::dataset
