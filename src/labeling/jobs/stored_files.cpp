#include "labeling/jobs/stored_files.h"

namespace terrapin::labeling {
namespace {

using I = std::int64_t;
using S = std::string;

constexpr int kPage = 1000;

Status visit_uri(const S& uri, const std::function<Status(const storage::ObjectName&)>& visit) {
  if (uri.empty()) return {};
  const auto name = storage::parse_s3_uri(uri);
  return name ? visit(*name) : Status();
}

}  // namespace

Status for_each_stored_file(storage::Transaction& state,
                            const std::function<Status(const storage::ObjectName&)>& visit) {
  TERRAPIN_TRY(const auto made,
               state.select_one<I>("SELECT version FROM schema_versions WHERE module = 'labeling'"));
  if (!made) return {};
  for (S after;;) {
    TERRAPIN_TRY(const auto rows,
                 (state.select<S, S, S>("SELECT id, answer_uri, mask_uri FROM labeling_assignments WHERE "
                                        "id > ? AND state = 'submitted' ORDER BY id LIMIT ?",
                                        after, kPage)));
    for (const auto& [id, answer, mask] : rows) {
      TERRAPIN_TRY_STATUS(visit_uri(answer, visit));
      TERRAPIN_TRY_STATUS(visit_uri(mask, visit));
      after = id;
    }
    if (rows.size() < kPage) break;
  }
  S job;
  I index = -1;
  for (;;) {
    TERRAPIN_TRY(const auto rows,
                 (state.select<S, I, S>("SELECT job_id, idx, mask_uri FROM labeling_objects WHERE state = "
                                        "'labeled' AND (job_id > ? OR (job_id = ? AND idx > ?)) ORDER BY "
                                        "job_id, idx LIMIT ?",
                                        job, job, index, kPage)));
    for (const auto& [job_id, idx, mask] : rows) {
      TERRAPIN_TRY_STATUS(visit_uri(mask, visit));
      job = job_id;
      index = idx;
    }
    if (rows.size() < kPage) return {};
  }
}

}  // namespace terrapin::labeling
