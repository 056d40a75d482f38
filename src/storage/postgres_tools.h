// PostgreSQL's own programs, which copy a database and put the copy back. Inside storage only.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace terrapin::storage {

// Runs `program` (found in PATH) with `arguments` until it ends; `password` reaches it by the environment,
// where no list of processes shows it. It ends with this process. kNotFound if there is no such program, kIo
// with what it said if it ended badly.
Status run_postgres_tool(const std::string& program, const std::vector<std::string>& arguments,
                         const std::string& password);

}  // namespace terrapin::storage
