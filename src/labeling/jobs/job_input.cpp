#include "labeling/jobs/job_input.h"

#include <map>
#include <utility>
#include <vector>

#include "artifacts/manifest.h"
#include "artifacts/manifest_write.h"
#include "base/json_text.h"
#include "base/line_reader.h"
#include "base/text.h"
#include "labeling/jobs/scratch_file.h"

namespace terrapin::labeling {
namespace {

using storage::Transaction;

constexpr std::size_t kMaxLineBytes = 400'000;

bool is_image_key(const std::string& key) {
  const std::string name = lower_case(key);
  for (const char* extension : {".jpg", ".jpeg", ".png", ".webp"})
    if (name.ends_with(extension)) return true;
  return false;
}

std::string line_for(const std::string& source_uri) {
  return "{\"source-ref\":" + artifacts::json_string(source_uri) + "}";
}

Result<ByteSourcePtr> manifest_of_prefix(Core& core, const OutputLayout& layout, const JobHead& job) {
  TERRAPIN_TRY(const storage::ObjectName prefix, storage::parse_s3_uri(job.spec.input_uri));
  TERRAPIN_TRY(ScratchFile file, ScratchFile::create(core.options.scratch_folder));
  TERRAPIN_TRY_STATUS(storage::for_each_object(
      core.store, prefix.bucket, prefix.key, [&](const storage::ObjectInfo& object) -> Status {
        // The job's own masks are no photos, nor are those of a job before it below the same output path.
        if (prefix.bucket == layout.bucket() &&
            (object.key.starts_with(layout.root()) ||
             object.key.find("/annotations/consolidated-annotation/") != std::string::npos ||
             object.key.find("/intermediate/answers/") != std::string::npos))
          return {};
        if (!is_image_key(object.key)) return {};
        return file.write(line_for(storage::s3_uri({prefix.bucket, object.key})) + "\n");
      }));
  TERRAPIN_TRY(ByteSourcePtr source, file.finish());
  TERRAPIN_TRY_STATUS(core.store.put(layout.input_manifest(), *source, "application/jsonlines"));
  return source;
}

Status insert_lines(Core& core, JobHead& job, ByteSourcePtr manifest, const std::function<bool()>& stopping) {
  LineReader reader(std::move(manifest), kMaxLineBytes);
  std::map<std::string, bool> readable;  // by bucket
  std::vector<ObjectRow> batch;
  std::int64_t index = 0, passed = 0;
  const auto flush = [&]() -> Status {
    TERRAPIN_TRY_STATUS(core.state.write([&](Transaction& state) -> Status {
      for (const ObjectRow& object : batch) {
        TERRAPIN_TRY_STATUS(insert_object(state, job.id, object));
      }
      return {};
    }));
    batch.clear();
    return {};
  };
  const bool judges = task_kind(job.spec) == TaskKind::kVerification;
  const std::string metadata = job.spec.label_attribute + "-metadata";
  for (;;) {
    if (stopping()) return fail(ErrorCode::kCancelled, "the server stops");
    TERRAPIN_TRY(auto line, reader.next());
    if (!line) break;
    if (line->text.find_first_not_of(" \t") == std::string::npos) continue;
    const auto where = [&] { return fmt::format("{}: line {}", job.spec.input_uri, line->number); };
    if (line->cut) return fail(ErrorCode::kInvalidArgument, "{}: is longer than 100,000 characters", where());
    if (line->number == 1 && line->text.starts_with("\xef\xbb\xbf")) line->text.erase(0, 3);
    auto record = artifacts::parse_manifest_line(line->text, line->number);
    if (!record) return fail(ErrorCode::kInvalidArgument, "{}: {}", where(), record.error().message);
    auto source = storage::parse_s3_uri(record->source_uri);
    if (!source || source->key.empty())
      return fail(ErrorCode::kInvalidArgument, "{}: source-ref is '{}'; s3://bucket/key is expected", where(),
                  record->source_uri);
    const auto [known, fresh] = readable.emplace(source->bucket, true);
    if (fresh) {
      TERRAPIN_TRY(known->second, core.may_read(job.spec.owner, source->bucket));
    }
    if (!known->second)
      return fail(ErrorCode::kInvalidArgument, "{}: {} may not read bucket {}", where(), job.spec.owner,
                  source->bucket);
    // Its answer would take the mask's place.
    if (judges && record->json.contains(metadata) && record->json[metadata].contains("internal-color-map"))
      return fail(ErrorCode::kInvalidArgument,
                  "{}: '{}' is a mask here; a verification needs a label attribute of its own", where(),
                  job.spec.label_attribute);
    ObjectRow object;
    object.index = index++;
    object.line = line->text;
    object.source_uri = record->source_uri;
    object.wanted = job.spec.workers_per_object;
    if (job.spec.skip_labeled && record->json.contains(job.spec.label_attribute)) {
      object.state = ObjectState::kPassed;
      ++passed;
    }
    batch.push_back(std::move(object));
    if (batch.size() == 1000) {
      TERRAPIN_TRY_STATUS(flush());
    }
  }
  TERRAPIN_TRY_STATUS(flush());
  if (index == 0)
    return fail(ErrorCode::kInvalidArgument, "{}: names no image; JPEG, PNG and WebP are known",
                job.spec.input_uri);
  job.objects = index;
  job.passed = passed;
  return {};
}

}  // namespace

Status read_input(Core& core, const OutputLayout& layout, JobHead& job,
                  const std::function<bool()>& stopping) {
  // What a crash left of an earlier attempt.
  TERRAPIN_TRY_STATUS(core.state.write([&](Transaction& state) -> Status {
    TERRAPIN_TRY_STATUS(state.run("DELETE FROM labeling_objects WHERE job_id = ?", job.id));
    return {};
  }));
  ByteSourcePtr manifest;
  if (job.spec.input_uri.ends_with('/')) {
    TERRAPIN_TRY(manifest, manifest_of_prefix(core, layout, job));
  } else {
    TERRAPIN_TRY(const storage::ObjectName name, storage::parse_s3_uri(job.spec.input_uri));
    TERRAPIN_TRY(const storage::OpenObject object, core.store.get(name));
    manifest = object.content;
  }
  return insert_lines(core, job, manifest, stopping);
}

}  // namespace terrapin::labeling
