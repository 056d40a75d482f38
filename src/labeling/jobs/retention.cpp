#include "labeling/jobs/retention.h"

#include <string>
#include <vector>

namespace terrapin::labeling {
namespace {

using storage::Transaction;
using I = std::int64_t;
using S = std::string;

constexpr I kDay = I{24} * 3600 * 1'000'000;  // microseconds
constexpr int kRemovedAtOnce = 200;

// Has the state forget answers of jobs that ended before that time, and remember their files as to be
// removed: from then on nobody reads them or makes a mask of them again. Gives how many there were, at most
// kRemovedAtOnce.
Result<std::size_t> forget_answers(Core& core, I before) {
  std::size_t count = 0;
  TERRAPIN_TRY_STATUS(core.state.write([&](Transaction& state) -> Status {
    TERRAPIN_TRY(
        const auto old,
        (state.select<S, S, S>(
            "SELECT a.id, a.answer_uri, a.mask_uri FROM labeling_assignments a JOIN labeling_jobs j "
            "ON j.id = a.job_id WHERE j.status IN ('Completed', 'Failed', 'Stopped') AND j.rework = 0 "
            "AND j.modified < ? AND a.answer_uri <> '' LIMIT ?",
            before, kRemovedAtOnce)));
    count = old.size();
    for (const auto& [id, answer, mask] : old) {
      for (const S& uri : {answer, mask}) {
        if (uri.empty()) continue;
        TERRAPIN_TRY_STATUS(
            state.run("INSERT INTO labeling_removals (uri) VALUES (?) ON CONFLICT (uri) DO NOTHING", uri));
      }
      TERRAPIN_TRY_STATUS(
          state.run("UPDATE labeling_assignments SET answer_uri = '', mask_uri = '' WHERE id = ?", id));
    }
    return {};
  }));
  return count;
}

}  // namespace

// Removes what is to be removed, also what a process before this one left.
Status Retention::remove_files(const std::function<bool()>& stopping) {
  Status first_error;
  while (!stopping()) {
    std::vector<std::tuple<S>> files;
    TERRAPIN_TRY_STATUS(core_.state.read([&](Transaction& state) -> Status {
      TERRAPIN_TRY(files,
                   state.select<S>("SELECT uri FROM labeling_removals WHERE uri > ? ORDER BY uri LIMIT ?",
                                   after_, kRemovedAtOnce));
      return {};
    }));
    if (files.empty()) {
      after_.clear();
      break;
    }
    std::vector<S> removed;
    for (const auto& [uri] : files) {
      const auto name = storage::parse_s3_uri(uri);
      const Status done = name ? core_.store.remove(*name) : Status();
      after_ = uri;
      if (done || done.error().code == ErrorCode::kNotFound)
        removed.push_back(uri);
      else if (first_error)
        first_error = tl::unexpected<Error>(with_context(done.error(), uri));
      if (stopping()) break;
    }
    TERRAPIN_TRY_STATUS(core_.state.write([&](Transaction& state) -> Status {
      for (const S& uri : removed) {
        TERRAPIN_TRY_STATUS(state.run("DELETE FROM labeling_removals WHERE uri = ?", uri));
      }
      return {};
    }));
  }
  return first_error;
}

Status Retention::apply(const std::function<bool()>& stopping) {
  const I now = to_microseconds(core_.clock.now());
  TERRAPIN_TRY_STATUS(core_.state.write([&](Transaction& state) -> Status {
    for (const char* table : {"labeling_draft_deltas", "labeling_drafts"}) {
      TERRAPIN_TRY_STATUS(
          state.run(fmt::format("DELETE FROM {} WHERE job_id IN (SELECT id FROM labeling_jobs WHERE status "
                                "IN ('Completed', 'Failed', 'Stopped') AND modified < ?)",
                                table),
                    now - kDay));
    }
    return {};
  }));
  if (core_.options.retain_answers_days > 0) {
    const I before = now - kDay * core_.options.retain_answers_days;
    for (std::size_t more = 1; more > 0 && !stopping();) {
      TERRAPIN_TRY(more, forget_answers(core_, before));
    }
  }
  return remove_files(stopping);
}

}  // namespace terrapin::labeling
