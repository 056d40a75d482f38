#include "inference/executor.h"

#ifdef TERRAPIN_WITH_ONEDNN

#include <omp.h>

#include <cstdlib>
#include <cstring>
#include <list>
#include <mutex>

#include "inference/graph_shapes.h"
#include "inference/onednn_plan.h"

namespace terrapin::inference {
namespace {

struct FreeDeleter {
  void operator()(void* block) const { std::free(block); }
};

// The memory of one caller: an arena and the primitives' arguments bound to it.
class Workspace {
 public:
  Workspace(std::shared_ptr<const OneDnnPlan> plan, const dnnl::engine& engine)
      : plan_(std::move(plan)), stream_(engine) {
    constexpr std::size_t kPage = 4096;
    const std::size_t bytes = (plan_->arena_bytes + kPage) / kPage * kPage;
    arena_.reset(static_cast<char*>(std::aligned_alloc(kPage, bytes)));
    if (!arena_) throw std::bad_alloc();
    for (const PlannedStep& step : plan_->steps) {
      std::unordered_map<int, dnnl::memory> arguments;
      if (!step.kernel) {
        for (const auto& [name, value] : step.arguments) {
          arguments.emplace(
              name, dnnl::memory(plan_->values[static_cast<std::size_t>(value)].desc, engine, data(value)));
        }
        for (const auto& [name, constant] : step.constants) arguments.emplace(name, constant);
        if (step.scratch_storage >= 0) {
          char* scratch =
              arena_.get() + plan_->storage_offsets[static_cast<std::size_t>(step.scratch_storage)];
          arguments.emplace(DNNL_ARG_SCRATCHPAD, dnnl::memory(step.scratchpad, engine, scratch));
        }
      }
      arguments_.push_back(std::move(arguments));
    }
  }

  float* data(int value) const {
    const PlannedValue& planned = plan_->values[static_cast<std::size_t>(value)];
    const std::size_t base = plan_->storage_offsets[static_cast<std::size_t>(planned.storage)];
    return reinterpret_cast<float*>(arena_.get() + base + planned.offset);
  }

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
  const std::shared_ptr<const OneDnnPlan> plan_;
  dnnl::stream stream_;
  std::unique_ptr<char, FreeDeleter> arena_;
  std::vector<std::unordered_map<int, dnnl::memory>> arguments_;
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

  // A workspace nobody else uses; its plan is made if this shape is new.
  Result<std::unique_ptr<Workspace>> borrow(const PlanRequest& request) {
    std::shared_ptr<const OneDnnPlan> plan;
    {
      const std::lock_guard lock(mutex_);
      if (CachedPlan* cached = find(request)) {
        if (!cached->idle.empty()) {
          auto workspace = std::move(cached->idle.back());
          cached->idle.pop_back();
          return workspace;
        }
        plan = cached->plan;
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
    return std::make_unique<Workspace>(std::move(plan), engine_);
  }

  void give_back(std::unique_ptr<Workspace> workspace) {
    const std::lock_guard lock(mutex_);
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
