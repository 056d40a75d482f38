// One thread: these pictures are so small that handing work around costs more than it saves.
#include <gtest/gtest.h>
#include <torch/torch.h>

namespace {

class OneThread : public testing::Environment {
 public:
  void SetUp() override { torch::set_num_threads(1); }
};

const auto* const kOneThread = testing::AddGlobalTestEnvironment(new OneThread);

}  // namespace
