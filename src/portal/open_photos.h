// Photos kept decoded while people ask about them, and who is asking.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "assist/open_photo.h"
#include "base/result.h"

namespace terrapin::portal {

// Up to a number of bytes, in use or not; each counts as 16 KiB at least: a photo that must wait for room
// waits until another's last question is answered. Thread-safe.
class OpenPhotos {
 private:
  struct Entry;

 public:
  using Photo = std::shared_ptr<const assist::OpenPhoto>;
  // Keeps room for a photo of that many bytes; those asked about longest ago go for it. kTooLarge if there is
  // not so much in all, kCancelled once `stop` asks or after `patience`.
  using Reserve = std::function<Status(std::int64_t bytes)>;
  using Open = std::function<Result<Photo>(const Reserve& reserve)>;

  OpenPhotos(std::int64_t max_bytes, std::chrono::milliseconds patience)
      : max_bytes_(max_bytes), patience_(patience) {}

  // The photo stays as long as this lives.
  class Use {
   public:
    Use(Use&& other) noexcept : photos_(std::exchange(other.photos_, nullptr)), entry_(other.entry_) {}
    Use& operator=(Use&&) = delete;
    ~Use();
    const assist::OpenPhoto& operator*() const;

   private:
    friend class OpenPhotos;
    Use(OpenPhotos& photos, Entry& entry) : photos_(&photos), entry_(&entry) {}
    OpenPhotos* photos_;
    Entry* entry_;
  };

  // The photo that `key` names. Where it is not there, `open` makes it, which must reserve what the photo
  // takes. Only one at a time opens a photo: who asks for it meanwhile waits, and fails as the first one
  // does, unless that one was cancelled. kCancelled once `stop` asks.
  Result<Use> get(const std::string& key, const std::stop_token& stop, const Open& open);

  std::int64_t bytes();   // of all photos, and of the room that is kept
  std::int64_t opened();  // how often `open` made one
  int waiting();          // who wait now for another that opens a photo, or for room

 private:
  // What became of one call of `open`.
  struct Attempt {
    bool done = false;
    std::optional<Error> error;
  };
  struct Entry {
    Photo photo;                       // null while it is opened
    std::shared_ptr<Attempt> attempt;  // of who opens it
    std::int64_t bytes = 0;
    std::uint64_t last_used = 0;
    int uses = 0;
  };
  Use use(Entry& entry);
  Status reserve(Entry& entry, std::int64_t asked, const std::stop_token& stop);
  bool make_room(std::int64_t bytes);

  const std::int64_t max_bytes_;
  const std::chrono::milliseconds patience_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<std::string, Entry> entries_;  // these five guarded by mutex_
  int waiting_ = 0;
  std::int64_t bytes_ = 0;
  std::int64_t opened_ = 0;
  std::uint64_t turn_ = 0;
};

// Who may ask at once, and that the newest question about a task is the one that counts. Thread-safe.
class Questions {
 private:
  // How a question ends before its answer.
  struct End {
    std::stop_source stop;
    std::atomic<bool> superseded{false};
  };

 public:
  // `most` of all, `most_of_one` of a worker: each holds a thread of the server.
  Questions(int most, int most_of_one) : most_(most), most_of_one_(most_of_one) {}

  class Place {
   public:
    Place(Place&& other) noexcept
        : questions_(std::exchange(other.questions_, nullptr)),
          worker_(std::move(other.worker_)),
          task_(std::move(other.task_)),
          end_(std::move(other.end_)) {}
    Place& operator=(Place&&) = delete;
    ~Place();
    std::stop_token stop() const { return end_->stop.get_token(); }
    bool superseded() const { return end_->superseded; }
    // For whoever else may find that the answer is not wanted any more.
    std::stop_source stopper() const { return end_->stop; }

   private:
    friend class Questions;
    Place(Questions& questions, std::string worker, std::string task, std::shared_ptr<End> end)
        : questions_(&questions), worker_(std::move(worker)), task_(std::move(task)), end_(std::move(end)) {}
    Questions* questions_;
    std::string worker_, task_;
    std::shared_ptr<End> end_;
  };

  // A question about a task: once this one has a place, the one before about that task is asked to stop.
  // `task` empty: this is about none. kCancelled if there are as many as may be.
  Result<Place> begin(const std::string& worker, const std::string& task);
  int under_way();

 private:
  const int most_, most_of_one_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<End>> newest_;  // by task; these three guarded by mutex_
  std::map<std::string, int> of_worker_;
  int under_way_ = 0;
};

}  // namespace terrapin::portal
