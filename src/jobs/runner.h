// Where jobs run. A runner knows processes and nothing of states or databases; the supervisor tells it what
// to do and asks it what is so.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "base/result.h"
#include "jobs/ending.h"
#include "jobs/output_log.h"
#include "jobs/work.h"

namespace terrapin::jobs {

struct Sight {
  enum class Phase {
    kAbsent,   // never begun, or nothing is left of it
    kWaiting,  // begun, as far as the runner can: it is in a queue behind the runner
    kRunning,
    kEnded,
  };
  Phase phase = Phase::kAbsent;
  Ending ending = {};        // of kEnded
  std::string waiting = {};  // of kWaiting: what for, one sentence for people
};

// A job is named by its id (letters and digits) and, once it has a place, by a handle: text that is stored
// with the job before it is started, so that a server that was killed finds it again. Thread-safe.
class Runner {
 public:
  virtual ~Runner() = default;

  // A place for the job, held until release(): its handle, or nullopt while none is free. kInvalidArgument if
  // it could never have one.
  virtual Result<std::optional<std::string>> reserve(const std::string& id, const Work& work) = 0;
  // Begins the job; nothing happens if it has begun or ended before. A failure means that it does not run and
  // never will; where the runner can only try again later it is a success, and look() says kWaiting, or
  // kAbsent when the time has come to call this again.
  virtual Status start(const std::string& id, const std::string& handle, const Work& work) = 0;
  // Takes up what an earlier server started: its place is held again.
  virtual Result<Sight> adopt(const std::string& id, const std::string& handle) = 0;
  virtual Result<Sight> look(const std::string& id, const std::string& handle) = 0;
  // Asks it to end: SIGTERM, and SIGKILL after the grace of its work. Returns at once; may be repeated.
  virtual Status stop(const std::string& id, const std::string& handle) = 0;
  // Of a job that look() calls absent: it never will begin, nor does a process of it go on without its files.
  virtual Status seal(const std::string& id, const std::string& handle) = 0;
  // Gives its place back; its files stay.
  virtual void release(const std::string& id) = 0;
  // Removes its files. kConflict while it waits or runs.
  virtual Status remove(const std::string& id, const std::string& handle) = 0;
  // Removes what lies in its work folder but the names `kept`; its output and how it ended stay. kConflict
  // while it runs.
  virtual Status clear(const std::string& id, const std::string& handle,
                       const std::set<std::string>& kept) = 0;

  // A file of its work folder ("phases.jsonl") or below it ("output/data/a.jpg"), as the job left it or has
  // it now. kNotFound, kTooLarge; never what a link points to, nor what lies behind one.
  virtual Result<std::string> read_file(const std::string& id, const std::string& handle,
                                        const std::string& name, std::int64_t max_bytes) = 0;
  // As jobs::read_output; empty while there is none.
  virtual Result<OutputPage> output(const std::string& id, std::int64_t offset, std::int64_t max_bytes) = 0;
};

}  // namespace terrapin::jobs
