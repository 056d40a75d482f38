#include <algorithm>
#include <array>
#include <cstdlib>
#include <system_error>

#include "base/digest.h"
#include "base/files.h"
#include "networks/layouts.h"
#include "networks/pretrained.h"

namespace terrapin::networks {

namespace fs = std::filesystem;

namespace {

const char* environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : nullptr;
}

// SHA-256 of files whose bytes we have seen. A name is never enough: only the digest makes a file known.
struct KnownFile {
  const char* sha256;
  const char* what;
};
constexpr KnownFile kKnownFiles[] = {
    {"c211b45390785f5dacdc5e0308874bfa51b71b41b769d7eb10e4454d6255feea",
     "DeepLabV3-MobileNetV2, VOC 2012, folded (google-coral/test_data, Apache-2.0)"},
    {"a1fa33ad75338666e73b6d2cf38efab80d4cd8d0bd33a134a04cf3027df7d4f8",
     "MobileNetV2 1.0 224, ImageNet, folded (google-coral/test_data, Apache-2.0)"},
};

bool is_known(const std::string& sha256) {
  return std::any_of(std::begin(kKnownFiles), std::end(kKnownFiles),
                     [&](const KnownFile& known) { return sha256 == known.sha256; });
}

// Lower is better. A whole network of the same algorithm beats an encoder tuned on segmentation (ours, or
// another head's), which beats one that has only seen ImageNet.
int preference(const Recognised& recognised, const artifacts::NetworkSpec& spec) {
  if (!recognised.algorithm.empty() && recognised.algorithm == spec.algorithm) return 0;
  switch (recognised.layout) {
    case Layout::kTerrapin:
    case Layout::kFoldedDeeplab:
      return 1;
    default:
      return 2;
  }
}

// Would its tensors load into this network? torchvision's segmentation files serve their own algorithm only.
bool serves(const Recognised& recognised, const artifacts::NetworkSpec& spec) {
  if (recognised.backbone != spec.backbone) return false;
  return recognised.layout != Layout::kTorchvisionSegmentation || recognised.algorithm == spec.algorithm;
}

std::optional<fs::path> best_in(const fs::path& folder, const artifacts::NetworkSpec& spec) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) return std::nullopt;
  const auto files = list_files(folder, /*recursive=*/false);
  if (!files) return std::nullopt;
  std::optional<fs::path> best;
  int best_preference = 0;
  for (const fs::path& file : *files) {  // sorted: the first name wins among equals
    if (file.extension() != ".safetensors") continue;
    const auto shapes = read_shapes(file);
    if (!shapes) continue;
    const auto recognised = recognise(*shapes);
    if (!recognised || !serves(*recognised, spec)) continue;
    const int rank = preference(*recognised, spec);
    if (!best || rank < best_preference) {
      best = file;
      best_preference = rank;
    }
  }
  return best;
}

std::string where_to_get(const std::string& backbone) {
  if (backbone == "mobilenet-v2") {
    return "a MobileNetV2 as safetensors, for example `model.safetensors` of timm/mobilenetv2_100.ra_in1k on "
           "Hugging "
           "Face, or torchvision's mobilenet_v2-b0353104.pth converted by `script/convert_weights.py "
           "FILE.pth OUT.safetensors`";
  }
  const bool deep = backbone == "resnet-101";
  return fmt::format(
      "a ResNet as safetensors, for example `model.safetensors` of timm/{} on Hugging Face, or torchvision's "
      "{} "
      "(https://download.pytorch.org/models/) converted by `script/convert_weights.py FILE.pth "
      "OUT.safetensors`",
      deep ? "resnet101.a1_in1k" : "resnet50.a1_in1k",
      deep ? "resnet101-63fe2227.pth" : "resnet50-0676ba61.pth");
}

}  // namespace

fs::path weights_folder() {
  if (const char* folder = environment("TERRAPIN_WEIGHTS")) return folder;
  if (const char* data = environment("XDG_DATA_HOME")) return fs::path(data) / "terrapin" / "weights";
  const char* home = environment("HOME");
  return fs::path(home != nullptr ? home : "/") / ".local" / "share" / "terrapin" / "weights";
}

fs::path shipped_weights_folder() {
  if (const char* share = environment("TERRAPIN_SHARE")) return share;
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (!error) {
    const fs::path installed = program.parent_path().parent_path() / "share" / "terrapin";
    if (fs::is_directory(installed, error)) return installed;
    // A program in a build folder: the source tree above it holds models/.
    fs::path folder = program.parent_path();
    for (int up = 0; up < 5 && folder.has_relative_path(); ++up, folder = folder.parent_path()) {
      if (fs::is_directory(folder / "models", error) && fs::exists(folder / "CMakeLists.txt", error)) {
        return folder / "models";
      }
    }
  }
  return fs::path("/usr/share/terrapin");
}

Result<AddedWeights> add_weights(const fs::path& file) {
  std::error_code error;
  if (!fs::is_regular_file(file, error)) return fail(ErrorCode::kNotFound, "{}: no such file", file.string());
  TERRAPIN_TRY(Bytes bytes, read_file(file));
  const bool zip = bytes.size() >= 4 && bytes[0] == 'P' && bytes[1] == 'K';
  const bool pickle = bytes.size() >= 2 && bytes[0] == 0x80 && bytes[1] <= 5;
  if (zip || pickle) {
    return fail(
        ErrorCode::kUnsupported,
        "{}: this is a PyTorch .pth file, whose pickles can run code; turn it into safetensors first: "
        "script/convert_weights.py {} OUT.safetensors",
        file.string(), file.string());
  }
  auto parsed = artifacts::parse_safetensors(bytes);
  if (!parsed) return with_context(parsed.error(), file.string());
  const auto recognised = recognise(shapes_of(*parsed));
  if (!recognised) {
    return fail(ErrorCode::kUnsupported,
                "{}: its tensor names belong to no known layout: allowed are torchvision or timm "
                "resnet50/101 and mobilenet_v2, "
                "torchvision fcn/deeplabv3 resnet50/101, folded (DeepLabV3-)MobileNetV2, and terrapin's own",
                file.string());
  }
  AddedWeights added;
  added.backbone = recognised->backbone;
  added.layout = recognised->name;
  added.sha256 = sha256_hex(bytes);
  added.checksum_known = is_known(added.sha256);
  // Hugging Face calls every file model.safetensors; the backbone makes the name tell something.
  std::string name = file.stem().string();
  if (name == "model") name = added.backbone;
  added.path = weights_folder() / (name + ".safetensors");
  if (fs::exists(added.path, error)) {
    TERRAPIN_TRY(const std::string present, sha256_of_file(added.path));
    if (present == added.sha256) return added;
    return fail(ErrorCode::kAlreadyExists,
                "{} holds other weights (SHA-256 {}): remove it first, or give the new file another name",
                added.path.string(), present);
  }
  TERRAPIN_TRY_STATUS(write_file_atomically(added.path, bytes));
  return added;
}

Result<fs::path> find_pretrained(const artifacts::NetworkSpec& spec) {
  const fs::path folders[] = {weights_folder(), shipped_weights_folder()};
  for (const fs::path& folder : folders) {
    if (const auto found = best_in(folder, spec)) return *found;
  }
  return fail(
      ErrorCode::kNotFound,
      "use_pretrained_model=True, but no initial weights for {} were found in {} or {}. Get {}; then run "
      "`terrapin weights add FILE`. To start from random weights instead, set use_pretrained_model=False",
      spec.backbone, folders[0].string(), folders[1].string(), where_to_get(spec.backbone));
}

Result<std::vector<ListedWeights>> list_weights() {
  std::vector<ListedWeights> result;
  for (const fs::path& folder : {weights_folder(), shipped_weights_folder()}) {
    std::error_code error;
    if (!fs::is_directory(folder, error)) continue;
    TERRAPIN_TRY(const auto files, list_files(folder, /*recursive=*/false));
    for (const fs::path& file : files) {
      if (file.extension() != ".safetensors") continue;
      ListedWeights item;
      item.path = file;
      const auto shapes = read_shapes(file);
      if (const auto recognised = shapes ? recognise(*shapes) : std::nullopt) {
        item.backbone = recognised->backbone;
        item.layout = recognised->name;
      }
      result.push_back(std::move(item));
    }
  }
  return result;
}

}  // namespace terrapin::networks
