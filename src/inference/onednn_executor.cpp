#include "inference/executor.h"

#ifdef TERRAPIN_WITH_ONEDNN

#include <omp.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <list>
#include <mutex>

#include "inference/graph_shapes.h"
#include "inference/onednn_plan.h"

namespace terrapin::inference {
namespace {

// A block of memory that plans of any shape take turns on: fresh pages cost more time than many a network's
// arithmetic.
class Arena {
 public:
  explicit Arena(std::size_t bytes) {
    // Huge pages where the system grants them: a hundred times fewer page faults.
    constexpr std::size_t kHugePage = std::size_t{2} << 20;
    const std::size_t alignment = bytes >= kHugePage ? kHugePage : 4096;
    bytes_ = std::max<std::size_t>(1, (bytes + alignment - 1) / alignment) * alignment;
    data_.reset(static_cast<char*>(std::aligned_alloc(alignment, bytes_)));
    if (!data_) throw std::bad_alloc();
    if (alignment == kHugePage) madvise(data_.get(), bytes_, MADV_HUGEPAGE);
  }
  char* data() const { return data_.get(); }
  std::size_t bytes() const { return bytes_; }

 private:
  struct Free {
    void operator()(void* block) const { std::free(block); }
  };
  std::unique_ptr<char, Free> data_;
  std::size_t bytes_ = 0;
};

// Arenas that nobody uses now. As many as there were callers at one time, none larger than was needed. Not
// thread-safe.
class ArenaPool {
 public:
  // An idle arena of at least `bytes`, or null: then the caller makes one, and the smallest idle one is given
  // up for it.
  std::unique_ptr<Arena> take(std::size_t bytes) {
    const auto by_size = [](const auto& a, const auto& b) { return a->bytes() < b->bytes(); };
    std::sort(idle_.begin(), idle_.end(), by_size);
    for (auto it = idle_.begin(); it != idle_.end(); ++it) {
      if ((*it)->bytes() < bytes) continue;
      auto arena = std::move(*it);
      idle_.erase(it);
      return arena;
    }
    if (!idle_.empty()) idle_.erase(idle_.begin());
    return nullptr;
  }
  void give_back(std::unique_ptr<Arena> arena) { idle_.push_back(std::move(arena)); }

 private:
  std::vector<std::unique_ptr<Arena>> idle_;
};

// The primitives' arguments of one caller. They point into an arena while they run.
class Workspace {
 public:
  Workspace(std::shared_ptr<const OneDnnPlan> plan, const dnnl::engine& engine)
      : plan_(std::move(plan)), stream_(engine) {
    for (const PlannedStep& step : plan_->steps) {
      std::unordered_map<int, dnnl::memory> arguments;
      if (!step.kernel) {
        for (const auto& [name, value] : step.arguments) {
          arguments.emplace(
              name, movable(plan_->values[static_cast<std::size_t>(value)].desc, engine, offset(value)));
        }
        for (const auto& [name, constant] : step.constants) arguments.emplace(name, constant);
        if (step.scratch_storage >= 0) {
          const std::size_t scratch = plan_->storage_offsets[static_cast<std::size_t>(step.scratch_storage)];
          arguments.emplace(DNNL_ARG_SCRATCHPAD, movable(step.scratchpad, engine, scratch));
        }
      }
      arguments_.push_back(std::move(arguments));
    }
  }

  void bind(std::unique_ptr<Arena> arena) {
    arena_ = std::move(arena);
    if (arena_->data() == bound_to_) return;
    bound_to_ = arena_->data();
    for (auto& [memory, at] : movable_) memory.set_data_handle(bound_to_ + at);
  }
  std::unique_ptr<Arena> unbind() { return std::move(arena_); }

  float* data(int value) const { return reinterpret_cast<float*>(bound_to_ + offset(value)); }

  void run(int threads) {
    const std::function<float*(int)> data_of = [this](int value) { return data(value); };
    for (std::size_t i = 0; i < plan_->steps.size(); ++i) {
      const PlannedStep& step = plan_->steps[i];
      if (step.kernel) {
        step.kernel(data_of, threads);
      } else {
        step.primitive.execute(stream_, arguments_[i]);
      }
    }
    stream_.wait();
  }

  const OneDnnPlan& plan() const { return *plan_; }

 private:
  dnnl::memory movable(const dnnl::memory::desc& desc, const dnnl::engine& engine, std::size_t at) {
    return movable_.emplace_back(dnnl::memory(desc, engine, DNNL_MEMORY_NONE), at).first;
  }
  std::size_t offset(int value) const {
    const PlannedValue& planned = plan_->values[static_cast<std::size_t>(value)];
    return plan_->storage_offsets[static_cast<std::size_t>(planned.storage)] + planned.offset;
  }

  const std::shared_ptr<const OneDnnPlan> plan_;
  dnnl::stream stream_;
  std::vector<std::pair<dnnl::memory, std::size_t>> movable_;  // and its place in the arena
  std::vector<std::unordered_map<int, dnnl::memory>> arguments_;
  std::unique_ptr<Arena> arena_;
  char* bound_to_ = nullptr;
};

// oneDNN takes its thread count from OpenMP's setting of the calling thread.
class ThreadCount {
 public:
  explicit ThreadCount(int threads) : before_(omp_get_max_threads()) { omp_set_num_threads(threads); }
  ~ThreadCount() { omp_set_num_threads(before_); }
  ThreadCount(const ThreadCount&) = delete;
  ThreadCount& operator=(const ThreadCount&) = delete;

 private:
  const int before_;
};

class OneDnnExecutor final : public Executor {
 public:
  OneDnnExecutor(std::shared_ptr<const networks::Graph> graph, const ExecutorOptions& options)
      : graph_(std::move(graph)),
        options_(options),
        engine_(dnnl::engine::kind::cpu, 0),
        weights_(engine_, graph_) {}

  std::string name() const override { return "onednn"; }

  Result<std::vector<Tensor>> run(const Tensor& input, const std::vector<int>& outputs,
                                  const Overrides& overrides) override {
    try {
      const ThreadCount thread_count(options_.threads);
      TERRAPIN_TRY(auto workspace, borrow(request_for(input, outputs, overrides)));
      const OneDnnPlan& plan = workspace->plan();
      copy_in(input, workspace->data(plan.input_value));
      for (const auto& [op, value] : plan.override_values) copy_in(overrides.at(op), workspace->data(value));
      workspace->run(options_.threads);
      std::vector<Tensor> results;
      for (const int value : plan.output_values) {
        Tensor result(plan.values[static_cast<std::size_t>(value)].shape);
        std::memcpy(result.values.get(), workspace->data(value),
                    static_cast<std::size_t>(result.shape.count()) * sizeof(float));
        results.push_back(std::move(result));
      }
      give_back(std::move(workspace));
      return results;
    } catch (const dnnl::error& error) {
      return fail(ErrorCode::kInternal, "oneDNN refused the network for an input of {} x {}: {}",
                  input.shape.w, input.shape.h, error.what());
    }
  }

 private:
  struct CachedPlan {
    PlanRequest request;
    std::shared_ptr<const OneDnnPlan> plan;
    std::vector<std::unique_ptr<Workspace>> idle;
  };

  static PlanRequest request_for(const Tensor& input, const std::vector<int>& outputs,
                                 const Overrides& overrides) {
    PlanRequest request{input.shape, outputs, {}};
    for (const auto& [op, value] : overrides) request.overrides.emplace_back(op, value.shape);
    return request;
  }

  static void copy_in(const Tensor& from, float* to) {
    std::memcpy(to, from.values.get(), static_cast<std::size_t>(from.shape.count()) * sizeof(float));
  }

  // A workspace nobody else uses, bound to memory; its plan is made if this shape is new.
  Result<std::unique_ptr<Workspace>> borrow(const PlanRequest& request) {
    std::shared_ptr<const OneDnnPlan> plan;
    std::unique_ptr<Workspace> workspace;
    {
      const std::lock_guard lock(mutex_);
      if (CachedPlan* cached = find(request)) {
        plan = cached->plan;
        if (!cached->idle.empty()) {
          workspace = std::move(cached->idle.back());
          cached->idle.pop_back();
        }
      }
    }
    if (!plan) {
      TERRAPIN_TRY(plan, make_onednn_plan(*graph_, request, engine_, weights_));
      const std::lock_guard lock(mutex_);
      if (find(request) == nullptr) {
        cache_.push_front({request, plan, {}});
        if (static_cast<int>(cache_.size()) > options_.cached_shapes) cache_.pop_back();
      }
    }
    if (!workspace) workspace = std::make_unique<Workspace>(plan, engine_);
    std::unique_ptr<Arena> arena;
    {
      const std::lock_guard lock(mutex_);
      arena = arenas_.take(plan->arena_bytes);
    }
    workspace->bind(arena ? std::move(arena) : std::make_unique<Arena>(plan->arena_bytes));
    return workspace;
  }

  void give_back(std::unique_ptr<Workspace> workspace) {
    const std::lock_guard lock(mutex_);
    arenas_.give_back(workspace->unbind());
    for (CachedPlan& cached : cache_) {
      if (cached.plan.get() == &workspace->plan()) {
        cached.idle.push_back(std::move(workspace));
        return;
      }
    }
  }

  // Moves what it finds to the front. Needs mutex_.
  CachedPlan* find(const PlanRequest& request) {
    for (auto it = cache_.begin(); it != cache_.end(); ++it) {
      if (it->request == request) {
        cache_.splice(cache_.begin(), cache_, it);
        return &cache_.front();
      }
    }
    return nullptr;
  }

  const std::shared_ptr<const networks::Graph> graph_;
  const ExecutorOptions options_;
  const dnnl::engine engine_;
  WeightCache weights_;  // synchronises itself
  std::mutex mutex_;
  ArenaPool arenas_;             // guarded by mutex_
  std::list<CachedPlan> cache_;  // guarded by mutex_; most recently used first
};

}  // namespace

bool onednn_available() {
  return true;
}

Result<std::unique_ptr<Executor>> make_onednn_executor(std::shared_ptr<const networks::Graph> graph,
                                                       const ExecutorOptions& options) {
  TERRAPIN_TRY_STATUS(check_graph(*graph));
  return std::make_unique<OneDnnExecutor>(std::move(graph), options);
}

}  // namespace terrapin::inference

#else

namespace terrapin::inference {

bool onednn_available() {
  return false;
}

Result<std::unique_ptr<Executor>> make_onednn_executor(std::shared_ptr<const networks::Graph>,
                                                       const ExecutorOptions&) {
  return fail(ErrorCode::kUnsupported, "this build has no oneDNN; use the backend \"torch\"");
}

}  // namespace terrapin::inference

#endif
