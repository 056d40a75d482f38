#include "labeling/tasks/template.h"

#include <nlohmann/json.hpp>

namespace terrapin::labeling {

namespace {

constexpr std::string_view kHeader = "Paint every object with the colour of its label.";
constexpr std::string_view kFull =
    "<p>Choose a label, then paint all pixels that belong to it. What nobody paints is background.</p>";
constexpr std::string_view kShort = "<p>Choose a label and paint what belongs to it.</p>";

constexpr std::string_view kBeforeHeader =
    R"html(<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
<crowd-form>
  <crowd-semantic-segmentation
    name="crowd-semantic-segmentation"
    src="{{ task.input.taskObject | grant_read_access }}"
    header=")html";
// An adjustment begins with the newest of the masks that the manifest's line names.
constexpr std::string_view kBeforeFull = R"html("
    labels="{{ task.input.labels | to_json | escape }}"
    {%- for entry in task.input.manifestLine %}
      {%- assign ending = entry[0] | slice: -4, 4 %}
      {%- if ending == "-ref" and entry[0] != "source-ref" %}
        {%- assign metadata = entry[0] | append: "-metadata" %}
        {%- assign candidate = task.input.manifestLine[metadata] %}
        {%- if newest == nil or candidate.creation-date > newest.creation-date %}
          {%- assign newest = candidate %}
          {%- assign mask = entry[1] %}
        {%- endif %}
      {%- endif %}
    {%- endfor %}
    {%- if mask %}
    initial-value='{"src": "{{ mask | grant_read_access }}", "labelMappings": {
      {%- for color in newest.internal-color-map %}
        {%- if color[0] != "0" %}{{ color[1].class-name | to_json }}: {"color": "{{ color[1].hex-color }}"}, {% endif %}
      {%- endfor %}}}'
    {%- endif %}
  >
    <full-instructions header="Instructions">
      )html";
constexpr std::string_view kBeforeShort = R"html(
    </full-instructions>
    <short-instructions>)html";
constexpr std::string_view kEnd = R"html(</short-instructions>
  </crowd-semantic-segmentation>
</crowd-form>
)html";

// Braces that would begin something in Liquid become character references.
void append_html(std::string& text, std::string_view html) {
  for (std::size_t i = 0; i < html.size(); ++i) {
    const bool opens = html[i] == '{' && i + 1 < html.size() && (html[i + 1] == '{' || html[i + 1] == '%');
    if (opens) {
      text += "&#123;";
    } else {
      text += html[i];
    }
  }
}

void append_text(std::string& text, std::string_view plain) {
  for (const char c : plain) {
    switch (c) {
      case '&':
        text += "&amp;";
        break;
      case '<':
        text += "&lt;";
        break;
      case '>':
        text += "&gt;";
        break;
      case '"':
        text += "&quot;";
        break;
      case '{':
        text += "&#123;";
        break;
      default:
        text += c;
    }
  }
}

std::string_view either(const std::string& given, std::string_view otherwise) {
  return given.empty() ? otherwise : std::string_view(given);
}

}  // namespace

std::string default_template(const Instructions& instructions) {
  std::string text(kBeforeHeader);
  append_text(text, either(instructions.header, kHeader));
  text += kBeforeFull;
  append_html(text, either(instructions.full_html, kFull));
  text += kBeforeShort;
  append_html(text, either(instructions.short_html, kShort));
  text += kEnd;
  return text;
}

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
