#include "labeling/jobs/retention.h"

#include <string>
#include <tuple>
#include <vector>

namespace terrapin::labeling {

using storage::Transaction;
using I = std::int64_t;
using S = std::string;

Status apply_retention(Core& core, const std::function<bool()>& stopping) {
  const I now = to_microseconds(core.clock.now());
  TERRAPIN_TRY_STATUS(core.state.write([&](Transaction& state) -> Status {
    for (const char* table : {"labeling_draft_deltas", "labeling_drafts"}) {
      TERRAPIN_TRY_STATUS(
          state.run(fmt::format("DELETE FROM {} WHERE job_id IN (SELECT id FROM labeling_jobs WHERE status "
                                "IN ('Completed', 'Failed', 'Stopped') AND modified < ?)",
                                table),
                    now - I{24} * 3600 * 1'000'000));
    }
    return {};
  }));
  if (core.options.retain_answers_days <= 0) return {};
  const I before = now - I{24} * 3600 * 1'000'000 * core.options.retain_answers_days;
  for (;;) {
    if (stopping()) return {};
    std::vector<std::tuple<S, S, S>> old;
    TERRAPIN_TRY_STATUS(core.state.read([&](Transaction& state) -> Status {
      TERRAPIN_TRY(old,
                   (state.select<S, S, S>(
                       "SELECT a.id, a.answer_uri, a.mask_uri FROM labeling_assignments a JOIN labeling_jobs "
                       "j ON j.id "
                       "= a.job_id WHERE j.status IN ('Completed', 'Failed', 'Stopped') AND j.rework = 0 AND "
                       "j.modified < ? AND a.answer_uri <> '' LIMIT 200",
                       before)));
      return {};
    }));
    if (old.empty()) return {};
    for (const auto& [id, answer, mask] : old) {
      for (const std::string& uri : {answer, mask}) {
        const auto name = storage::parse_s3_uri(uri);
        if (!name) continue;
        TERRAPIN_TRY_STATUS(core.store.remove(*name));
      }
    }
    TERRAPIN_TRY_STATUS(core.state.write([&](Transaction& state) -> Status {
      for (const auto& [id, answer, mask] : old) {
        TERRAPIN_TRY_STATUS(
            state.run("UPDATE labeling_assignments SET answer_uri = '', mask_uri = '' WHERE id = ?", id));
      }
      return {};
    }));
  }
}

}  // namespace terrapin::labeling
