// Models: trained packages of the object store under a name, with what a model server is told about them.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "control/resources.h"
#include "storage/object_store.h"

namespace terrapin::control {

// Whether a registry address names the algorithm of this program: the last part of its repository is
// "semantic-segmentation", with or without a tag or digest.
bool is_segmentation_image(std::string_view image);

struct ModelContainer {
  std::string image;
  std::string data;  // s3://bucket/key of a model.tar.gz
  std::string hostname;
  // Told back as it is; of the names only kServerSettings mean something here.
  std::map<std::string, std::string> environment;
  bool data_as_source = false;  // how `data` was given: as an object with a type and a compression
};
struct ModelSpec {
  std::string name;
  std::string role;  // told back; access is the caller's key
  ModelContainer container;
  bool in_list = false;  // given as a list of one container
};
std::string model_spec_text(const ModelSpec& spec);
Result<ModelSpec> parse_model_spec(const std::string& name, const std::string& text);

// What of the environment a model server takes: "TERRAPIN_LONG_SIDE", "TERRAPIN_MAX_BATCH".
struct ServerSettings {
  std::int64_t long_side = -1;  // as `terrapin host` takes it; -1: the model's own
  int max_batch = 8;
};
// kInvalidArgument for a value that may not be and for a TERRAPIN_ name that means nothing.
Result<ServerSettings> server_settings(const std::map<std::string, std::string>& environment);

struct Model {
  ModelSpec spec;
  Resource row;
};

// Thread-safe, also between processes.
class Models {
 public:
  Models(Resources resources, storage::ObjectStore& objects)
      : resources_(std::move(resources)), objects_(objects) {}

  // kInvalidArgument for an image that is not ours and for data that is not there; kAlreadyExists.
  Result<Model> create(const ModelSpec& spec, const std::string& owner,
                       const std::map<std::string, std::string>& tags);
  Result<Model> find(const std::string& name);  // kNotFound
  // Endpoints that serve it go on: they keep what they were made from.
  Status remove(const std::string& name);

 private:
  Resources resources_;
  storage::ObjectStore& objects_;
};

}  // namespace terrapin::control
