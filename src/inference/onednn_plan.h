// A graph prepared for one input shape: oneDNN primitives, layouts and a memory plan. Includes oneDNN: only
// the oneDNN executor's files may include this.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "inference/executor.h"

namespace terrapin::inference {

// Weights in the layouts that primitives asked for, shared by the plans of all input shapes. Thread-safe.
class WeightCache {
 public:
  WeightCache(dnnl::engine engine, std::shared_ptr<const networks::Graph> graph)
      : engine_(std::move(engine)), graph_(std::move(graph)) {}
  dnnl::memory weight(int op, const dnnl::memory::desc& wanted);
  dnnl::memory bias(int op);

 private:
  const dnnl::engine engine_;
  const std::shared_ptr<const networks::Graph> graph_;
  std::mutex mutex_;
  std::unordered_map<int, std::vector<dnnl::memory>> weights_;  // guarded by mutex_
  std::unordered_map<int, dnnl::memory> biases_;                // guarded by mutex_
};

// One value between steps: where its bytes lie is decided once all steps are known.
struct PlannedValue {
  dnnl::memory::desc desc;
  Shape shape;
  int block = 0;           // 1, 8 or 16 when the layout is N x (C / block) x H x W x block; 0 for any other
  int storage = -1;        // index of a buffer
  std::size_t offset = 0;  // bytes into the buffer
};

// What is done with the memory of one caller. Primitives carry their arguments; own kernels are functions.
struct PlannedStep {
  dnnl::primitive primitive;
  std::vector<std::pair<int, int>> arguments;           // oneDNN argument -> value
  std::vector<std::pair<int, dnnl::memory>> constants;  // oneDNN argument -> weights
  dnnl::memory::desc scratchpad;
  int scratch_storage = -1;
  std::function<void(const std::function<float*(int)>& data_of, int threads)>
      kernel;  // set instead of `primitive`
};

struct OneDnnPlan {
  std::vector<PlannedValue> values;
  std::vector<PlannedStep> steps;
  std::vector<std::size_t> storage_offsets;  // in the arena
  std::size_t arena_bytes = 0;
  int input_value = -1;
  std::vector<int> output_values;                    // plain NCHW
  std::vector<std::pair<int, int>> override_values;  // operation -> plain NCHW value
};

struct PlanRequest {
  Shape input;
  std::vector<int> outputs;
  std::vector<std::pair<int, Shape>> overrides;
  friend bool operator==(const PlanRequest&, const PlanRequest&) = default;
};

// dnnl::error passes through: the executor turns it into an Error.
Result<std::shared_ptr<const OneDnnPlan>> make_onednn_plan(const networks::Graph& graph,
                                                           const PlanRequest& request,
                                                           const dnnl::engine& engine, WeightCache& weights);

}  // namespace terrapin::inference
