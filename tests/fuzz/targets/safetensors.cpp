// Tensor files: the header alone and the whole agree, and what was read and written again is the same.
#include "artifacts/safetensors.h"

#include "fuzz/fuzz_target.h"
#include "fuzz/memory_file.h"

using namespace terrapin;

TERRAPIN_FUZZ_TARGET(safetensors) {
  const auto whole = artifacts::parse_safetensors(input);
  const MemoryFile file(input);
  const auto header = artifacts::read_safetensors_header(file.path());
  require(whole.has_value() == header.has_value(), "header and file are both good or neither");
  if (!whole) return;
  require(whole->metadata == header->metadata && whole->tensors.size() == header->tensors.size(),
          "the header names what is there");
  for (const auto& [name, tensor] : whole->tensors) {
    const auto found = header->tensors.find(name);
    require(found != header->tensors.end() && found->second.shape == tensor.shape &&
                found->second.dtype == tensor.dtype &&
                found->second.end - found->second.begin == static_cast<std::int64_t>(tensor.data.size()),
            "with type, shape and size");
    (void)artifacts::to_float32(tensor);
  }
  require(artifacts::check_tensors(*whole).has_value(), "what was read can be written");
  const Bytes written = artifacts::serialize_safetensors(*whole);
  const auto again = artifacts::parse_safetensors(written);
  require(again.has_value(), "what was written can be read");
  require(artifacts::serialize_safetensors(*again) == written, "and is written the same");
}
