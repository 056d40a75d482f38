// Where the files of a job lie below its output path. Inside labeling only.
#pragma once

#include <string>

#include "labeling/jobs/job.h"
#include "storage/object_store.h"

namespace terrapin::labeling {

class OutputLayout {
 public:
  // kInvalidArgument if the output path is no s3:// URI.
  static Result<OutputLayout> of(const JobSpec& spec);

  const std::string& bucket() const { return bucket_; }
  const std::string& root() const { return root_; }  // "prefix/job/"
  storage::ObjectName at(const std::string& path) const { return {bucket_, root_ + path}; }

  storage::ObjectName manifest() const { return at("manifests/output/output.manifest"); }
  storage::ObjectName intermediate_manifest() const {
    return at("annotations/intermediate/1/output.manifest");
  }
  storage::ObjectName input_manifest() const {
    return at("intermediate/input.manifest");
  }  // of automated data setup
  storage::ObjectName answer(std::int64_t index, const std::string& assignment, const char* extension) const;
  storage::ObjectName worker_response(int iteration, std::int64_t index, Timestamp time) const;
  storage::ObjectName consolidation_request(int iteration, Timestamp time) const;
  storage::ObjectName consolidation_response(int iteration, Timestamp time) const;
  // "0_2022-02-10T17:41:04.801793"
  static std::string stem(std::int64_t index, Timestamp time);
  std::string mask_folder() const { return root_ + "annotations/consolidated-annotation/output/"; }
  storage::ObjectName mask(const std::string& stem) const;
  std::string figures_folder() const { return root_ + "annotations/consolidated-annotation/confidence/"; }
  storage::ObjectName figures(const std::string& stem) const;    // JSON: per class
  storage::ObjectName certainty(const std::string& stem) const;  // grey PNG: per pixel

 private:
  std::string bucket_, root_;
};

}  // namespace terrapin::labeling
