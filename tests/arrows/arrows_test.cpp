// Compares every #include under src/ with the allowed arrows of arrows.txt.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

struct Arrows {
  std::map<std::string, std::set<std::string>> allowed;
  std::vector<std::pair<std::string, std::vector<std::string>>> only;
};

Arrows read_arrows(std::istream& input) {
  Arrows arrows;
  for (std::string line; std::getline(input, line);) {
    if (line.empty() || line[0] == '#') continue;
    const std::size_t colon = line.find(": ");
    const bool bare = colon == std::string::npos;
    const std::string key = bare ? line.substr(0, line.size() - 1) : line.substr(0, colon);
    std::istringstream words(bare ? "" : line.substr(colon + 2));
    std::vector<std::string> values{std::istream_iterator<std::string>(words), {}};
    if (key.starts_with("only ")) {
      arrows.only.emplace_back(key.substr(5), values);
    } else {
      arrows.allowed[key] = {values.begin(), values.end()};
    }
  }
  return arrows;
}

bool place_matches(const std::string& place, const std::string& file) {
  const std::size_t star = place.find("/*");
  if (star != std::string::npos) {
    return file.starts_with(place.substr(0, star + 1)) && file.ends_with(place.substr(star + 2));
  }
  return file == place || file.starts_with(place + "/");
}

// The folder of src/ that a header names; empty: a library's, or the file's own folder.
std::string target_of(const Arrows& arrows, const std::string& folder, const std::string& header) {
  const std::string target = header.substr(0, header.find('/'));
  const bool ours = header.find('/') != std::string::npos && arrows.allowed.contains(target);
  return ours && target != folder ? target : std::string();
}

// Folders in a ring, the first again at the end; empty: the arrows have no cycle.
std::vector<std::string> cycle_of(const Arrows& arrows) {
  std::set<std::string> finished;
  std::vector<std::string> path;
  const std::function<bool(const std::string&)> visit = [&](const std::string& folder) {
    const bool again = std::find(path.begin(), path.end(), folder) != path.end();
    path.push_back(folder);
    if (again) {
      path.erase(path.begin(), std::find(path.begin(), path.end(), folder));
      return true;
    }
    const auto entry = arrows.allowed.find(folder);
    for (const std::string& target :
         entry == arrows.allowed.end() ? std::set<std::string>() : entry->second) {
      if (!finished.contains(target) && visit(target)) return true;
    }
    path.pop_back();
    finished.insert(folder);
    return false;
  };
  for (const auto& [folder, targets] : arrows.allowed) {
    if (!finished.contains(folder) && visit(folder)) return path;
  }
  return {};
}

// Every violation in one file's text; `file` is relative to src/. The arrows it needs are added to `used`.
std::vector<std::string> violations(const Arrows& arrows, const std::string& file, std::istream& text,
                                    std::set<std::pair<std::string, std::string>>* used = nullptr) {
  static const std::regex include_line(R"(^\s*#\s*include\s*[<"]([^>"]+)[>"].*)");
  std::vector<std::string> found;
  const std::string folder = file.substr(0, file.find('/'));
  const auto entry = arrows.allowed.find(folder);
  if (entry == arrows.allowed.end()) {
    return {"src/" + folder +
            " has no line in tests/arrows/arrows.txt: add one that lists what it may include"};
  }
  int number = 0;
  for (std::string line; std::getline(text, line);) {
    ++number;
    std::smatch match;
    if (!std::regex_match(line, match, include_line)) continue;
    const std::string header = match[1];
    const std::string where = "src/" + file + ":" + std::to_string(number) + " includes " + header;
    for (const auto& [prefix, places] : arrows.only) {
      if (!header.starts_with(prefix)) continue;
      bool allowed = false;
      for (const std::string& place : places) allowed = allowed || place_matches(place, file);
      if (!allowed)
        found.push_back(where + ", which is kept to a few places: hide it behind a type of ours there");
    }
    const std::string target = target_of(arrows, folder, header);
    if (target.empty()) continue;
    if (used != nullptr) used->emplace(folder, target);
    if (!entry->second.contains(target)) {
      found.push_back(where + ", but " + folder + " may not know " + target +
                      ": move the code down, or hand a file over through artifacts");
    }
  }
  return found;
}

Arrows project_arrows() {
  std::ifstream file(std::string(TERRAPIN_SOURCE_DIR) + "/tests/arrows/arrows.txt");
  return read_arrows(file);
}

TEST(Arrows, EveryIncludeFollowsAnAllowedArrow) {
  const Arrows arrows = project_arrows();
  ASSERT_GE(arrows.allowed.size(), 10u);
  const fs::path root = fs::path(TERRAPIN_SOURCE_DIR) / "src";
  std::int64_t files = 0;
  std::set<std::pair<std::string, std::string>> used;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    const std::string extension = entry.path().extension().string();
    if (extension != ".cpp" && extension != ".h") continue;
    ++files;
    std::ifstream text(entry.path());
    for (const std::string& violation :
         violations(arrows, fs::relative(entry.path(), root).string(), text, &used)) {
      ADD_FAILURE() << violation;
    }
  }
  EXPECT_GT(files, 20);
  for (const auto& [folder, targets] : arrows.allowed) {
    for (const std::string& target : targets) {
      EXPECT_TRUE(used.contains({folder, target}))
          << "no file of src/" << folder << " includes one of " << target
          << ": take the arrow out of tests/arrows/arrows.txt, src/CMakeLists.txt and ARCHITECTURE.md";
    }
  }
}

TEST(Arrows, ArrowsHaveNoCycle) {
  const Arrows arrows = project_arrows();
  for (const auto& [folder, targets] : arrows.allowed) {
    for (const std::string& target : targets) {
      EXPECT_TRUE(arrows.allowed.contains(target))
          << folder << " points to " << target << ", which has no line";
    }
  }
  EXPECT_EQ(cycle_of(arrows), std::vector<std::string>());
}

TEST(Arrows, CyclesOfAnyLengthAreFound) {
  const auto cycle = [](const std::string& text) {
    std::istringstream input(text);
    return cycle_of(read_arrows(input));
  };
  using Path = std::vector<std::string>;
  EXPECT_EQ(cycle("a:\nb: a\nc: a b\nd: b c a\n"), Path());
  EXPECT_EQ(cycle("a: b\nb: a\n"), (Path{"a", "b", "a"}));
  EXPECT_EQ(cycle("a: b\nb: c\nc: d\nd: b\n"), (Path{"b", "c", "d", "b"}));
  EXPECT_EQ(cycle("a: a\n"), (Path{"a", "a"}));
}

TEST(Arrows, AWrongIncludeIsFound) {
  const Arrows arrows = project_arrows();
  std::istringstream upwards("#include \"training/recipe.h\"\n");
  EXPECT_EQ(violations(arrows, "imaging/a.cpp", upwards).size(), 1u);
  std::istringstream torch_in_header("#include <torch/torch.h>\n");
  EXPECT_EQ(violations(arrows, "training/a.h", torch_in_header).size(), 1u);
  std::istringstream torch_in_source("#include <torch/torch.h>\n");
  EXPECT_EQ(violations(arrows, "training/a.cpp", torch_in_source).size(), 0u);
  std::istringstream unknown("int x;\n");
  EXPECT_EQ(violations(arrows, "elsewhere/a.cpp", unknown).size(), 1u);
}

}  // namespace
