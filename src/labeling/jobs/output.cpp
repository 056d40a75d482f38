#include "labeling/jobs/output.h"

namespace terrapin::labeling {

using storage::ObjectName;

Result<OutputLayout> OutputLayout::of(const JobSpec& spec) {
  TERRAPIN_TRY(ObjectName name, storage::parse_s3_uri(spec.output_uri));
  OutputLayout layout;
  layout.bucket_ = std::move(name.bucket);
  while (name.key.ends_with('/')) name.key.pop_back();
  layout.root_ = (name.key.empty() ? "" : name.key + "/") + spec.name + "/";
  return layout;
}

Result<std::string> manifest_uri_now(const JobRecord& job) {
  if (!job.output_dataset_uri.empty()) return job.output_dataset_uri;
  TERRAPIN_TRY(const OutputLayout layout, OutputLayout::of(job.spec));
  return storage::s3_uri(layout.intermediate_manifest());
}

ObjectName OutputLayout::answer(std::int64_t index, const std::string& assignment,
                                const char* extension) const {
  return at(fmt::format("intermediate/answers/{}/{}{}", index, assignment, extension));
}
ObjectName OutputLayout::worker_response(int iteration, std::int64_t index, Timestamp time) const {
  return at(fmt::format("annotations/worker-response/iteration-{}/{}/{}.json", iteration, index,
                        iso_text(time, 6)));
}
ObjectName OutputLayout::consolidation_request(int iteration, Timestamp time) const {
  return at(fmt::format("annotations/consolidated-annotation/consolidation-request/iteration-{}/{}.json",
                        iteration, iso_text(time, 6)));
}
ObjectName OutputLayout::consolidation_response(int iteration, Timestamp time) const {
  return at(fmt::format("annotations/consolidated-annotation/consolidation-response/iteration-{}/{}.json",
                        iteration, iso_text(time, 6)));
}
std::string OutputLayout::stem(std::int64_t index, Timestamp time) {
  return fmt::format("{}_{}", index, iso_text(time, 6));
}
ObjectName OutputLayout::mask(const std::string& stem) const {
  return {bucket_, mask_folder() + stem + ".png"};
}
ObjectName OutputLayout::figures(const std::string& stem) const {
  return {bucket_, figures_folder() + stem + ".json"};
}
ObjectName OutputLayout::certainty(const std::string& stem) const {
  return {bucket_, figures_folder() + stem + ".png"};
}

}  // namespace terrapin::labeling
