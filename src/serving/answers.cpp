#include "serving/answers.h"

#include <array>
#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "base/json_text.h"
#include "imaging/codecs.h"

namespace terrapin::serving {

Result<std::string> encode_json_answer(const imaging::Mask& mask, const artifacts::ClassList& classes) {
  TERRAPIN_TRY(const Bytes png, imaging::encode_indexed_png(mask, classes.palette()));
  std::array<std::int64_t, 256> pixels{};
  for (const std::uint8_t label : mask.bytes()) ++pixels[label];
  nlohmann::json list = nlohmann::json::array();
  for (int i = 0; i < classes.size(); ++i) {
    const auto& entry = classes.classes[static_cast<std::size_t>(i)];
    list.push_back({{"index", i},
                    {"name", entry.name},
                    {"color", imaging::to_hex(entry.color)},
                    {"pixels", pixels[static_cast<std::size_t>(i)]}});
  }
  const nlohmann::json document{{"shape", {mask.height(), mask.width()}},
                                {"classes", std::move(list)},
                                {"mask_png_base64", base64(png)}};
  return json_text(document);
}

}  // namespace terrapin::serving
