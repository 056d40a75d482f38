#include "labeling/tasks/template.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace terrapin::labeling {

namespace {

struct Words {
  std::string_view header, full, short_html;
};
constexpr Words kToPaint{
    "Paint every object with the colour of its label.",
    "<p>Choose a label, then paint all pixels that belong to it. What nobody paints is background.</p>",
    "<p>Choose a label and paint what belongs to it.</p>"};
constexpr Words kToJudge{
    "Does the mask fit the photo?",
    "<p>Look at the mask over the photo, closely where it ends, and choose the answer that fits it best.</p>",
    "<p>Zoom in on the outlines, then choose an answer.</p>"};

constexpr std::string_view kScript =
    R"html(<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
<crowd-form>
)html";
// The newest of the masks that the manifest's line names, as `mask`, its metadata as `newest`.
constexpr std::string_view kNewest = R"html(
    {%- for entry in task.input.manifestLine %}
      {%- assign ending = entry[0] | slice: -4, 4 %}
      {%- if ending == "-ref" and entry[0] != "source-ref" %}
        {%- assign metadata = entry[0] | append: "-metadata" %}
        {%- assign candidate = task.input.manifestLine[metadata] %}
        {%- if candidate.internal-color-map %}
          {%- if newest == nil or candidate.creation-date > newest.creation-date %}
            {%- assign newest = candidate %}
            {%- assign mask = entry[1] %}
          {%- endif %}
        {%- endif %}
      {%- endif %}
    {%- endfor %})html";
constexpr std::string_view kMask = R"html({"src": "{{ mask | grant_read_access }}", "labelMappings": {
      {%- for color in newest.internal-color-map %}
        {%- if color[0] != "0" %}{{ color[1].class-name | to_json }}: {"color": "{{ color[1].hex-color }}"}, {% endif %}
      {%- endfor %}}})html";

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

std::string text_of(const std::string& given, std::string_view otherwise) {
  std::string text;
  append_text(text, given.empty() ? otherwise : std::string_view(given));
  return text;
}

std::string html_of(const std::string& given, std::string_view otherwise) {
  std::string text;
  append_html(text, given.empty() ? otherwise : std::string_view(given));
  return text;
}

}  // namespace

std::string default_template(TaskKind kind, const Instructions& instructions) {
  const bool judge = kind == TaskKind::kVerification;
  const Words& words = judge ? kToJudge : kToPaint;
  const std::string_view element = judge ? "crowd-image-classifier" : "crowd-semantic-segmentation";
  std::string text(kScript);
  text += fmt::format("  <{0}\n    name=\"{0}\"\n    src=\"{1}\"\n    header=\"{2}\"\n    {3}=\"{4}\"",
                      element, "{{ task.input.taskObject | grant_read_access }}",
                      text_of(instructions.header, words.header), judge ? "categories" : "labels",
                      "{{ task.input.labels | to_json | escape }}");
  text += kNewest;
  text += fmt::format("\n    {{%- if mask %}}\n    {}='{}{}{}'\n    {{%- endif %}}\n  >\n",
                      judge ? "overlay" : "initial-value", judge ? "{\"semanticSegmentation\": " : "", kMask,
                      judge ? "}" : "");
  text += fmt::format(
      "    <full-instructions header=\"Instructions\">\n      {}\n    </full-instructions>\n"
      "    <short-instructions>{}</short-instructions>\n{}  </{}>\n</crowd-form>\n",
      html_of(instructions.full_html, words.full), html_of(instructions.short_html, words.short_html),
      judge ? "    <worker-comment header=\"What is wrong?\"></worker-comment>\n" : "", element);
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

void collect(const nlohmann::json& value, std::set<std::string>& uris) {
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    if (text.starts_with("s3://")) uris.insert(text);
  } else if (value.is_structured()) {
    for (const auto& item : value) collect(item, uris);
  }
}

}  // namespace

void collect_s3_uris_of_json(const std::string& json, std::set<std::string>& uris) {
  const auto document = nlohmann::json::parse(json, nullptr, false);
  if (!document.is_discarded()) collect(document, uris);
}

}  // namespace terrapin::labeling
