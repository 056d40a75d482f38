// What the labeling state names among the objects: for copies that must hold both.
#pragma once

#include <functional>

#include "storage/database.h"
#include "storage/object_store.h"

namespace terrapin::labeling {

// Calls `visit` for every answer and mask that the state names. Nothing for a database without labeling
// tables.
Status for_each_stored_file(storage::Transaction& state,
                            const std::function<Status(const storage::ObjectName&)>& visit);

}  // namespace terrapin::labeling
