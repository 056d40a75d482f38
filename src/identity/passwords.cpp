#include "identity/passwords.h"

#include <algorithm>

#include "base/text.h"
#include "crypto/secrets.h"

namespace terrapin::identity {

PasswordHasher::PasswordHasher(int max_running, int max_waiting)
    : max_running_(std::max(1, max_running)),
      max_waiting_(std::max(0, max_waiting)),
      decoy_(crypto::hash_password(crypto::random_text(43))) {}

Status PasswordHasher::check_choice(std::string_view password, std::string_view account_name) {
  if (password.size() < kMinPasswordBytes || password.size() > kMaxPasswordBytes) {
    return fail(ErrorCode::kInvalidArgument, "the password has {} bytes: allowed are {} to {}",
                password.size(), kMinPasswordBytes, kMaxPasswordBytes);
  }
  if (password.find('\0') != std::string_view::npos)
    return fail(ErrorCode::kInvalidArgument, "the password must not hold a zero byte");
  if (same_ignoring_case(password, account_name))
    return fail(ErrorCode::kInvalidArgument, "the password must not be the account's name");
  if (std::all_of(password.begin(), password.end(), [&](char c) { return c == password.front(); }))
    return fail(ErrorCode::kInvalidArgument, "the password must not be one character repeated");
  return {};
}

Status PasswordHasher::enter() {
  std::unique_lock lock(mutex_);
  if (running_ >= max_running_ && waiting_ >= max_waiting_)
    return fail(ErrorCode::kCancelled, "too many sign-ins at once: try again in a moment");
  ++waiting_;
  freed_.wait(lock, [this] { return running_ < max_running_; });
  --waiting_;
  ++running_;
  ++load_.runs;
  load_.most_at_once = std::max(load_.most_at_once, running_);
  return {};
}

void PasswordHasher::leave() {
  const std::lock_guard lock(mutex_);
  --running_;
  freed_.notify_one();
}

class PasswordHasher::Turn {
 public:
  explicit Turn(PasswordHasher& hasher) : hasher_(hasher) {}
  ~Turn() { hasher_.leave(); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  PasswordHasher& hasher_;
};

Result<std::string> PasswordHasher::hash(std::string_view password) {
  TERRAPIN_TRY_STATUS(enter());
  const Turn turn(*this);
  return crypto::hash_password(password);
}

Result<bool> PasswordHasher::verify(std::string_view password, const std::string& stored) {
  TERRAPIN_TRY_STATUS(enter());
  const Turn turn(*this);
  const bool right =
      crypto::verify_password(password.substr(0, kMaxPasswordBytes + 1), stored.empty() ? decoy_ : stored);
  return right && !stored.empty();
}

PasswordHasher::Load PasswordHasher::load() const {
  const std::lock_guard lock(mutex_);
  return load_;
}

}  // namespace terrapin::identity
