// The process of a batch transform: its model behind the hosting contract, and photo after photo through it.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "control/transform_spec.h"
#include "storage/object_store.h"

namespace terrapin::control {

inline constexpr const char* kTransformKind = "transform";  // of the job, and what `job-work` is called with

// A model server of this machine, as the job starts it. Thread-safe.
class LocalModelServer {
 public:
  virtual ~LocalModelServer() = default;  // ends it
  // The port at which it answers, once it is ready; it is started if it does not run. kCancelled once the
  // process was told to stop; another failure is final.
  virtual Result<int> ensure() = 0;
};

struct TransformWork {
  std::string program;                 // absolute path of terrapin itself
  std::filesystem::path folder = ".";  // the job's work folder, in which the task lies
  // What serves the model that lies in the file: `terrapin host`, where none is given.
  std::function<std::unique_ptr<LocalModelServer>(const TransformSpec&, const std::filesystem::path& model)>
      make_server;
};

// Fetches the model, serves it, sends it every photo of the source, at most as many at a time as the task or
// the server says, and stores each answer whole as <output>/<file>.out. A photo that cannot be transformed is
// named in the log and has no output; the others are gone through all the same, and the result is 1 with the
// failure file written. Told to stop (base/interrupt.h), it leaves what is stored and ends by that. What was
// fetched is removed from the folder.
int run_transform_work(storage::ObjectStore& objects, const Clock& clock, const TransformWork& work);

}  // namespace terrapin::control
