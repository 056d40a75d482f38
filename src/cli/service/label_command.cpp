// terrapin label: a labeling job for the photos of a folder, in one line.
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "artifacts/label_categories.h"
#include "artifacts/manifest_write.h"
#include "base/files.h"
#include "base/interrupt.h"
#include "base/logging.h"
#include "base/progress.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/service/labeling_server.h"
#include "identity/access_keys.h"
#include "identity/accounts.h"
#include "labeling/jobs/job_service.h"
#include "labeling/workforces/workforces.h"
#include "storage/key_path.h"

namespace terrapin::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTeam = "labelers";
constexpr const char* kPhotoBucket = "photos";
constexpr const char* kLabelBucket = "labels";

struct LabelOptions {
  std::string folder, data_dir, name, log_level = "warn";
  std::vector<std::string> labels;
  int workers = 1, port = 9000;
  std::int64_t minutes_per_photo = 60;
  LabelingServerOptions server;
};

bool is_photo(const fs::path& path) {
  const std::string extension = lower_case(path.extension().string());
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png" || extension == ".webp";
}

// "My photos!" -> "My-photos"
std::string job_name_of(const std::string& text) {
  std::string name;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (plain) {
      name += c;
    } else if (!name.empty() && name.back() != '-') {
      name += '-';
    }
  }
  if (name.size() > 63) name.resize(63);
  while (!name.empty() && name.back() == '-') name.pop_back();
  return name.empty() ? "photos" : name;
}

Status make_bucket(storage::ObjectStore& objects, const char* bucket) {
  Status made = objects.create_bucket(bucket);
  if (!made && made.error().code != ErrorCode::kAlreadyExists) return made;
  return {};
}

// Shows the photo as an object: linked where the disk can, otherwise copied. A file of that name that is
// there stays.
Status add_photo(storage::ObjectStore& objects, const Installation& installation, const fs::path& photo,
                 const std::string& key) {
  if (installation.objects.starts_with("folder:")) {
    const std::string plain = storage::key_path(key, storage::NameRule::kExact).plain;
    if (!plain.empty()) {
      const fs::path target = fs::path(installation.objects.substr(7)) / kPhotoBucket / plain;
      std::error_code error;
      if (fs::exists(target, error)) return {};
      fs::create_directories(target.parent_path(), error);
      fs::create_hard_link(photo, target, error);
      if (!error) return {};
    }
  }
  if (objects.head({kPhotoBucket, key})) return {};
  TERRAPIN_TRY(const ByteSourcePtr source, file_source(photo));
  auto put = objects.put({kPhotoBucket, key}, *source,
                         lower_case(photo.extension().string()) == ".png" ? "image/png" : "image/jpeg");
  if (!put) return with_context(std::move(put.error()), photo.string());
  return {};
}

Status put_text(storage::ObjectStore& objects, const std::string& key, const std::string& text) {
  auto put = objects.put({kLabelBucket, key}, *bytes_source(text), "application/json");
  if (!put) return tl::unexpected<Error>(std::move(put.error()));
  return {};
}

Result<std::string> team_arn(labeling::Workforces& workforces) {
  auto team = workforces.team(kTeam);
  if (!team) {
    labeling::Workteam wanted;
    wanted.name = kTeam;
    wanted.description = "People invited by terrapin label";
    wanted.members.push_back({"terrapin", "terrapin", kTeam, {}});
    team = workforces.create_team(wanted);
  }
  if (!team) return tl::unexpected<Error>(std::move(team.error()));
  return team->arn;
}

Result<labeling::JobRecord> make_job(LabelingServer& server, const Installation& installation,
                                     const LabelOptions& options, const std::vector<fs::path>& photos) {
  storage::ObjectStore& objects = server.objects();
  TERRAPIN_TRY_STATUS(make_bucket(objects, kPhotoBucket));
  TERRAPIN_TRY_STATUS(make_bucket(objects, kLabelBucket));
  std::string manifest;
  ProgressBar bar("adding photos", static_cast<std::int64_t>(photos.size()));
  std::int64_t done = 0;
  for (const fs::path& photo : photos) {
    if (interrupted()) return fail(ErrorCode::kCancelled, "interrupted; run it again to go on");
    const std::string key = fs::relative(photo, options.folder).generic_string();
    TERRAPIN_TRY_STATUS(add_photo(objects, installation, photo, key));
    manifest += "{\"source-ref\":" + artifacts::json_string(storage::s3_uri({kPhotoBucket, key})) + "}\n";
    bar.update(++done);
  }
  bar.finish();
  artifacts::ClassList classes;
  const auto palette = imaging::default_palette(static_cast<int>(options.labels.size()) + 1);
  classes.classes.push_back({"BACKGROUND", palette[0]});
  for (std::size_t i = 0; i < options.labels.size(); ++i)
    classes.classes.push_back({options.labels[i], palette[i + 1]});
  const std::string categories = artifacts::format_label_categories({classes, std::nullopt});
  auto checked = artifacts::parse_label_categories(categories);
  if (!checked) return with_context(std::move(checked.error()), "--labels");
  TERRAPIN_TRY_STATUS(put_text(objects, options.name + ".manifest", manifest));
  TERRAPIN_TRY_STATUS(put_text(objects, options.name + ".labels.json", categories));

  labeling::JobSpec spec;
  spec.name = options.name;
  spec.label_attribute = options.name + "-ref";
  spec.input_uri = fmt::format("s3://{}/{}.manifest", kLabelBucket, options.name);
  spec.output_uri = fmt::format("s3://{}", kLabelBucket);
  spec.categories_uri = fmt::format("s3://{}/{}.labels.json", kLabelBucket, options.name);
  TERRAPIN_TRY(spec.workteam_arn, team_arn(server.workforces()));
  spec.pre_function = {
      fmt::format("arn:aws:lambda:{}:432418664414:function:PRE-SemanticSegmentation", installation.region),
      "PRE-SemanticSegmentation"};
  spec.post_function = {
      fmt::format("arn:aws:lambda:{}:432418664414:function:ACS-SemanticSegmentation", installation.region),
      "ACS-SemanticSegmentation"};
  spec.title = "Label " + options.name;
  spec.description = "Paint every object with the colour of its label.";
  spec.keywords = {"semantic segmentation"};
  spec.workers_per_object = options.workers;
  spec.task_time_limit_s = options.minutes_per_photo * 60;
  spec.task_availability_s = 30LL * 24 * 3600;
  spec.owner = "admin";
  return server.jobs().create(spec);
}

// The invitation to print: none once somebody can sign in.
Result<std::string> invitation(LabelingServer& server) {
  identity::AccountFilter filter;
  filter.active = true;
  filter.group = kTeam;
  TERRAPIN_TRY(const auto people, server.accounts().list(filter));
  if (!people.empty()) return std::string();
  identity::NewInvitation wanted;
  wanted.roles = {identity::Role::kWorker, identity::Role::kRequester, identity::Role::kAdmin};
  wanted.groups = {kTeam};
  wanted.made_by = "terrapin label";
  TERRAPIN_TRY(const identity::Invitation made, server.accounts().invite(wanted));
  return server.url() + "/_/join#" + made.token;
}

Result<int> run(LabelOptions& options, const Invocation& invocation) {
  configure_logging(options.log_level);
  std::error_code error;
  const fs::path folder = fs::absolute(options.folder).lexically_normal();
  if (!fs::is_directory(folder, error)) return fail(ErrorCode::kNotFound, "{}: is no folder", options.folder);
  options.folder = folder.string();
  while (options.folder.size() > 1 && options.folder.ends_with('/')) options.folder.pop_back();
  if (options.name.empty()) options.name = job_name_of(fs::path(options.folder).filename().string());
  if (job_name_of(options.name) != options.name)
    require_usage(fail(ErrorCode::kInvalidArgument, "--name {}: 1 to 63 letters, digits and single hyphens",
                       options.name));
  if (options.data_dir.empty()) options.data_dir = options.folder + ".terrapin";
  TERRAPIN_TRY(auto photos, list_files(options.folder, true));
  std::erase_if(photos, [](const fs::path& path) { return !is_photo(path); });
  if (photos.empty())
    return fail(ErrorCode::kInvalidArgument, "{}: holds no photo (.jpg, .jpeg, .png, .webp)", options.folder);

  InstallationOptions place;
  place.data_dir = options.data_dir;
  TERRAPIN_TRY(const Installation installation, open_installation(place, true));
  options.server.command = "label";
  options.server.port = options.port;
  TERRAPIN_TRY(const auto server, LabelingServer::start(installation, options.server));
  auto job = server->jobs().describe(options.name);
  if (!job) {
    if (options.labels.empty())
      require_usage(fail(ErrorCode::kInvalidArgument, "name the labels: --labels Turtle,Diver"));
    job = make_job(*server, installation, options, photos);
    if (!job) return tl::unexpected<Error>(std::move(job.error()));
    fmt::print("Labeling job {}: {} photos, labels {}\n", options.name, photos.size(),
               fmt::join(options.labels, ", "));
  } else {
    fmt::print("Labeling job {} goes on ({})\n", options.name, labeling::job_status_name(job->status));
  }
  TERRAPIN_TRY(const std::string link, invitation(*server));
  if (link.empty()) {
    fmt::print("Sign in at {}/_/\n", server->url());
  } else {
    fmt::print("Open this invitation (it works once; it makes you an admin):\n  {}\n", link);
  }
  fmt::print("Assistance: {}\nAll is kept in {}. Ctrl-C stops; the same command goes on.\n",
             server->assistance(), installation.data_dir.string());
  std::fflush(stdout);

  ProgressBar bar("labelled", static_cast<std::int64_t>(photos.size()), !invocation.quiet);
  bool told = false;
  while (!interrupted()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    const auto now = server->jobs().describe(options.name);
    if (!now) continue;
    bar.update(now->counters.total_labeled);
    if (told || !labeling::has_ended(now->status)) continue;
    told = true;
    bar.finish();
    if (now->status == labeling::JobStatus::kFailed) {
      fmt::print("The job failed: {}\n", now->failure_reason);
    } else {
      const std::string objects =
          installation.objects.starts_with("folder:") ? installation.objects.substr(7) : installation.objects;
      fmt::print(
          "All photos are done. The dataset:\n  terrapin transform "
          "{0}/{1}/{2}/manifests/output/output.manifest "
          "--s3-root {3}={0}/{3} --s3-root {1}={0}/{1} --output {2}-dataset\n",
          objects, kLabelBucket, options.name, kPhotoBucket);
    }
    std::fflush(stdout);
  }
  server->stop();
  return 0;
}

}  // namespace

void add_label_command(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<LabelOptions>();
  auto* command =
      app.add_subcommand("label", "Label the photos of a folder: starts a job and prints an invitation");
  command
      ->add_option("FOLDER", options->folder, "Folder with photos, read with its subfolders; never changed")
      ->required();
  command->add_option("--labels", options->labels, "Names of the classes, separated by commas")
      ->delimiter(',');
  command->add_option("--name", options->name, "Of the job (default: the folder's name)");
  command->add_option("--workers", options->workers, "How many people label each photo")
      ->check(CLI::Range(1, 9))
      ->capture_default_str();
  command->add_option("--minutes-per-photo", options->minutes_per_photo, "How long one may hold a photo")
      ->check(CLI::Range(1, 480))
      ->capture_default_str();
  command->add_option("--data-dir", options->data_dir,
                      "Where state, answers and masks are kept (default: FOLDER.terrapin)");
  command->add_option("--port", options->port, "0 takes a free one")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  command->add_option("--listen", options->server.listen, "IPv4 or IPv6 address")->capture_default_str();
  command->add_flag("--allow-insecure", options->server.allow_insecure,
                    "Listen beyond this machine without TLS");
  command->add_flag("--quiet", invocation.quiet, "No progress bar");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return run(*options, invocation); };
  });
}

}  // namespace terrapin::cli
