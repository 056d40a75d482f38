// The requester's task template, as far as the server reads it: which photos it names. Rendering is the
// page's.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "labeling/jobs/job.h"

namespace terrapin::labeling {

// What a page tells above and beside the photo; "": the words of the default template.
struct Instructions {
  std::string header;                 // plain text
  std::string short_html, full_html;  // HTML of the page's own, shown in its sandbox
};

// The template of jobs that name none: the canvas; for a verification, the newest mask of the manifest's line
// and a choice of the job's labels about it. Liquid in the instructions is text.
std::string default_template(TaskKind kind, const Instructions& instructions = {});

// Adds every "s3://bucket/key" that stands in the text: up to a quote, a blank, an angle bracket or a '|' of
// Liquid.
void collect_s3_uris(std::string_view text, std::set<std::string>& uris);
// The same for the strings of a JSON document, each as a whole if it begins with "s3://".
void collect_s3_uris_of_json(const std::string& json, std::set<std::string>& uris);

}  // namespace terrapin::labeling
