#include "training/report.h"

#include <algorithm>
#include <cmath>

#include "base/base64.h"
#include "base/markup.h"
#include "training/report_charts.h"

namespace terrapin::training {
namespace {

constexpr const char* kStyle = R"css(
:root { color-scheme: light dark; --ground: #fbfbf8; --card: #fff; --ink: #1b2326; --soft: #5d6a6e; --rule: #dfe3e1; --accent: #0b7a75; --bar: #0b7a75; --heat: 11, 122, 117; }
@media (prefers-color-scheme: dark) { :root { --ground: #12181a; --card: #1a2224; --ink: #e8eeec; --soft: #9aa8ab; --rule: #2c3739; --accent: #4fd0c7; --bar: #2fa39b; --heat: 79, 208, 199; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 24px 16px 64px; }
h1 { font-size: 1.6rem; margin: 0 0 4px; line-height: 1.2; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 36px 0 12px; }
p.note { color: var(--soft); margin: 0 0 12px; max-width: 46rem; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(140px, 1fr)); gap: 12px; margin-top: 20px; }
.figures div { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 12px 14px; }
.figures b { display: block; font-size: 1.6rem; font-weight: 600; font-variant-numeric: tabular-nums; line-height: 1.2; }
.figures span { color: var(--soft); font-size: .85rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: 12px; }
figure { margin: 0; }
.chart { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 10px 10px 2px; }
.chart figcaption { font-weight: 600; font-size: .9rem; padding-left: 4px; }
.chart svg { width: 100%; height: auto; display: block; }
.grid { stroke: var(--rule); stroke-width: 1; }
.tick { fill: var(--soft); font-size: 11px; font-variant-numeric: tabular-nums; }
.value { fill: var(--ink); font-size: 12px; font-weight: 600; }
.line { fill: none; stroke: var(--accent); stroke-width: 2; stroke-linejoin: round; }
.dot { fill: var(--accent); }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 8px 12px; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 8px; text-align: right; white-space: nowrap; }
th { font-weight: 500; color: var(--soft); }
th.name, td.name { text-align: left; color: var(--ink); max-width: 15rem; overflow: hidden; text-overflow: ellipsis; }
.confusion td { border: 1px solid var(--rule); min-width: 3.4rem; }
.confusion td.strong { color: #fff; }
.confusion th.down { max-width: 7rem; overflow: hidden; text-overflow: ellipsis; }
@media (prefers-color-scheme: dark) { .confusion td.strong { color: #06201e; } }
.swatch { display: inline-block; width: .8em; height: .8em; border-radius: 2px; border: 1px solid var(--soft); margin-right: .5em; vertical-align: -1px; }
.bars { width: 100%; }
.bars td.bar { width: 55%; padding-left: 12px; }
.bars .track { background: var(--rule); border-radius: 3px; height: 12px; min-width: 60px; }
.bars .fill { background: var(--bar); border-radius: 3px; height: 12px; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 340px), 1fr)); gap: 12px; }
.pictures figure { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 8px; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 6px; }
.pair div { text-align: center; font-size: .8rem; color: var(--soft); }
.pair img { width: 100%; height: auto; display: block; border-radius: 4px; }
.pictures figcaption { padding-top: 6px; font-size: .85rem; overflow-wrap: anywhere; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 380px), 1fr)); gap: 12px; align-items: start; }
.facts { width: 100%; }
.facts td { white-space: normal; overflow-wrap: anywhere; text-align: left; border-top: 1px solid var(--rule); }
.facts td:first-child { color: var(--soft); white-space: nowrap; padding-right: 16px; }
.facts tr:first-child td { border-top: 0; }
)css";

const EpochReport* report_of(const ReportContent& content, int epoch) {
  for (const EpochReport& report : content.history) {
    if (report.epoch == epoch && report.validated) return &report;
  }
  return nullptr;
}

std::string class_label(const artifacts::ClassList& classes, int index) {
  if (index >= classes.size()) return fmt::format("class {}", index);
  const artifacts::ClassEntry& entry = classes.classes[static_cast<std::size_t>(index)];
  return fmt::format("<span class=\"swatch\" style=\"background:{}\"></span>{}", imaging::to_hex(entry.color),
                     markup_text(entry.name));
}

std::string class_name(const artifacts::ClassList& classes, int index) {
  return index < classes.size() ? markup_text(classes.classes[static_cast<std::size_t>(index)].name)
                                : fmt::format("class {}", index);
}

std::string score(const std::optional<double>& value) {
  return value ? fmt::format("{:.3f}", *value) : "–";
}

std::string duration(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::llround(std::max(0.0, seconds)));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

void add_figures(std::string& html, const ReportContent& content, const EpochReport* best) {
  const auto figure = [&](const std::string& value, const char* name) {
    html += fmt::format("<div><b>{}</b><span>{}</span></div>\n", value, name);
  };
  html += "<div class=\"figures\">\n";
  if (best != nullptr) {
    figure(fmt::format("{:.3f}", best->mean_iou), "mean IoU");
    figure(fmt::format("{:.3f}", best->pixel_accuracy), "pixel accuracy");
    figure(fmt::format("{:.3f}", best->frequency_weighted_iou), "frequency-weighted IoU");
    figure(fmt::format("{} of {}", best->epoch, content.history.back().epoch), "best epoch");
  }
  if (!content.history.empty()) figure(duration(content.history.back().elapsed_seconds), "training time");
  html += "</div>\n";
}

void add_charts(std::string& html, const ReportContent& content) {
  report::Chart loss{.title = "Training loss", .points = {}, .marked_epoch = content.best_epoch};
  report::Chart miou{.title = "Validation mean IoU",
                     .points = {},
                     .marked_epoch = content.best_epoch,
                     .from_zero_to_one = true};
  report::Chart rate{.title = "Learning rate", .points = {}, .scientific = true};
  report::Chart speed{.title = "Training images per second", .points = {}};
  for (const EpochReport& epoch : content.history) {
    const auto x = static_cast<double>(epoch.epoch);
    loss.points.push_back({x, epoch.loss});
    rate.points.push_back({x, epoch.learning_rate});
    speed.points.push_back({x, epoch.train_images_per_second});
    if (epoch.validated) miou.points.push_back({x, epoch.mean_iou});
  }
  html += "<h2>By epoch</h2>\n<div class=\"charts\">\n";
  for (const report::Chart* chart : {&loss, &miou, &rate, &speed}) html += report::draw_chart(*chart);
  html += "</div>\n";
}

void add_classes(std::string& html, const ReportContent& content, const EpochReport& best) {
  html +=
      "<h2>Classes</h2>\n<div class=\"scroll\"><table class=\"bars\"><tr><th "
      "class=\"name\">class</th><th></th><th>IoU</th><th>precision</th><th>recall</th></tr>\n";
  for (int i = 0; i < best.confusion.class_count(); ++i) {
    const std::optional<double> iou = best.confusion.iou(i);
    html += fmt::format(
        "<tr><td class=\"name\">{}</td><td class=\"bar\"><div class=\"track\"><div class=\"fill\" "
        "style=\"width:{:.1f}%\"></div></div></td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
        class_label(content.classes, i), 100 * iou.value_or(0), score(iou),
        score(best.confusion.precision(i)), score(best.confusion.recall(i)));
  }
  html += "</table></div>\n";
}

// A share as a percentage in few characters.
std::string percent(double share) {
  if (share == 0) return "";
  if (share < 0.0005) return "&lt;0.1";
  return fmt::format("{:.1f}", 100 * share);
}

void add_confusion(std::string& html, const ReportContent& content, const EpochReport& best) {
  const metrics::ConfusionMatrix& confusion = best.confusion;
  html +=
      "<h2>Confusion matrix</h2>\n<p class=\"note\">Rows are the labels, columns the model's answer; each "
      "row adds up to 100 % of that class's pixels.</p>\n";
  html += "<div class=\"scroll\"><table class=\"confusion\"><tr><th></th>";
  for (int i = 0; i < confusion.class_count(); ++i) {
    const std::string name = class_name(content.classes, i);
    html += fmt::format("<th class=\"down\" title=\"{}\">{}</th>", name, name);
  }
  html += "<th>pixels</th></tr>\n";
  for (int truth = 0; truth < confusion.class_count(); ++truth) {
    std::int64_t total = 0;
    for (int i = 0; i < confusion.class_count(); ++i) total += confusion.count(truth, i);
    html += fmt::format("<tr><td class=\"name\">{}</td>", class_label(content.classes, truth));
    for (int i = 0; i < confusion.class_count(); ++i) {
      const double share =
          total > 0 ? static_cast<double>(confusion.count(truth, i)) / static_cast<double>(total) : 0;
      // Square root: small mistakes stay visible beside a diagonal near 100 %.
      html += fmt::format("<td{} style=\"background:rgba(var(--heat),{:.3f})\" title=\"{} pixels\">{}</td>",
                          share > 0.5 ? " class=\"strong\"" : "", share == 0 ? 0 : 0.9 * std::sqrt(share),
                          confusion.count(truth, i), percent(share));
    }
    html += fmt::format("<td>{}</td></tr>\n", total);
  }
  html += "</table></div>\n";
}

void add_pictures(std::string& html, const char* title, const std::vector<ReportPicture>& pictures) {
  if (pictures.empty()) return;
  html += fmt::format("<h2>{}</h2>\n<div class=\"pictures\">\n", title);
  for (const ReportPicture& picture : pictures) {
    html += fmt::format(
        "<figure><div class=\"pair\"><div><img alt=\"labels\" "
        "src=\"data:image/jpeg;base64,{}\">label</div><div><img alt=\"prediction\" "
        "src=\"data:image/jpeg;base64,{}\">model</div></div><figcaption>{} &middot; mean IoU "
        "{:.3f}</figcaption></figure>\n",
        base64(picture.truth_jpeg), base64(picture.prediction_jpeg), markup_text(picture.name),
        picture.mean_iou);
  }
  html += "</div>\n";
}

void add_facts(std::string& html, const char* title,
               const std::vector<std::pair<std::string, std::string>>& facts) {
  html += fmt::format("<section><h2>{}</h2>\n<div class=\"scroll\"><table class=\"facts\">\n", title);
  for (const auto& [name, value] : facts) {
    html += fmt::format("<tr><td>{}</td><td>{}</td></tr>\n", markup_text(name), markup_text(value));
  }
  html += "</table></div></section>\n";
}

}  // namespace

std::string render_report(const ReportContent& content) {
  const std::string title = markup_text(content.title);
  std::string html = fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
      "content=\"width=device-width, initial-scale=1\">\n<meta name=\"generator\" "
      "content=\"terrapin\">\n<title>{}</title>\n<style>{}</style>\n</head>\n<body><main>\n<h1>{}</h1>\n",
      title, kStyle, title);
  const EpochReport* best = report_of(content, content.best_epoch);
  html += best != nullptr
              ? fmt::format(
                    "<p class=\"note\">Scores of epoch {} on the validation photos, at their own size.</p>\n",
                    best->epoch)
              : std::string("<p class=\"note\">No epoch was validated.</p>\n");
  add_figures(html, content, best);
  add_charts(html, content);
  if (best != nullptr) {
    add_classes(html, content, *best);
    add_confusion(html, content, *best);
  }
  add_pictures(html, "Worst validation photos", content.worst);
  add_pictures(html, "Best validation photos", content.best);
  html += "<div class=\"columns\">\n";
  add_facts(html, "Training", content.facts);
  add_facts(html, "Hyperparameters", content.hyperparameters);
  return html + "</div>\n</main></body></html>\n";
}

}  // namespace terrapin::training
