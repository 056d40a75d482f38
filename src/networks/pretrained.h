// Initial weights: which files are known, where they are looked for, and how their names map to ours.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "artifacts/model_package.h"
#include "artifacts/safetensors.h"
#include "base/result.h"

namespace terrapin::networks {

class SegmentationNetwork;

// What an importer did, for logs and the strict report.
struct ImportReport {
  std::string layout;               // "torchvision resnet", ...: docs/formats/weights.md lists them
  std::vector<std::string> loaded;  // our tensor names
  std::vector<std::string> fresh;   // our tensors left at their start (heads for another class count)
  std::vector<std::string>
      ignored;  // theirs that have no place here (the ImageNet classifier), expected ones only
};

// Recognises the layout by tensor names and loads what it holds. Strict: a tensor missing from a known
// layout, a surplus one or a wrong shape fails, and the message lists every one. A classifier for another
// number of classes is left fresh; with `keep_head` a different class count is an error.
Result<ImportReport> import_weights(SegmentationNetwork& network, const artifacts::TensorFile& weights,
                                    bool keep_head = false);

// The user's weights folder: $TERRAPIN_WEIGHTS, else $XDG_DATA_HOME/terrapin/weights, else
// ~/.local/share/terrapin/weights.
std::filesystem::path weights_folder();
// Folder of what ships with the program (starter encoder): $TERRAPIN_SHARE, else beside the executable
// (../share/terrapin, or the source tree's models/).
std::filesystem::path shipped_weights_folder();

// Copies FILE into the weights folder after checking that it parses and which backbone it serves; known
// public files are compared with their published SHA-256. Returns what was recognised.
struct AddedWeights {
  std::filesystem::path path;
  std::string backbone, layout, sha256;
  bool checksum_known = false;
};
Result<AddedWeights> add_weights(const std::filesystem::path& file);

// Weight files in the weights folder, then those that ship with the program; backbone and layout are empty
// for a file that nothing recognises.
struct ListedWeights {
  std::filesystem::path path;
  std::string backbone, layout;
};
Result<std::vector<ListedWeights>> list_weights();

// The file that `use_pretrained_model=True` uses for this network: in the weights folder first, then
// among what ships; a whole network of the same algorithm before another segmentation network's encoder
// before ImageNet's, then by name. None found: kNotFound with a message that names the file to get, from
// where, and the command that adds it.
Result<std::filesystem::path> find_pretrained(const artifacts::NetworkSpec& spec);

}  // namespace terrapin::networks
