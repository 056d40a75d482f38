#include "labeling/tasks/template.h"

#include <nlohmann/json.hpp>

namespace terrapin::labeling {

const char* const kDefaultTemplate =
    R"html(<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
<crowd-form>
  <crowd-semantic-segmentation
    name="crowd-semantic-segmentation"
    src="{{ task.input.taskObject | grant_read_access }}"
    header="Paint every object with the colour of its label."
    labels="{{ task.input.labels | to_json | escape }}"
  >
    <full-instructions header="Instructions">
      <p>Choose a label, then paint all pixels that belong to it. What nobody paints is background.</p>
    </full-instructions>
    <short-instructions><p>Choose a label and paint what belongs to it.</p></short-instructions>
  </crowd-semantic-segmentation>
</crowd-form>
)html";

void collect_s3_uris(std::string_view text, std::set<std::string>& uris) {
  constexpr std::string_view kScheme = "s3://";
  for (std::size_t at = text.find(kScheme); at != std::string_view::npos; at = text.find(kScheme, at + 1)) {
    const std::size_t end = text.find_first_of("\"'<>|\\ \t\r\n", at);
    uris.emplace(text.substr(at, end == std::string_view::npos ? end : end - at));
  }
}

namespace {

void collect(const nlohmann::json& json, std::set<std::string>& uris) {
  if (json.is_string()) {
    const auto& text = json.get_ref<const std::string&>();
    if (text.starts_with("s3://")) uris.insert(text);
  } else if (json.is_structured()) {
    for (const auto& item : json) collect(item, uris);
  }
}

}  // namespace

void collect_s3_uris_of_json(const std::string& json, std::set<std::string>& uris) {
  const auto document = nlohmann::json::parse(json, nullptr, false);
  if (!document.is_discarded()) collect(document, uris);
}

}  // namespace terrapin::labeling
