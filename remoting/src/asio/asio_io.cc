#include "quern/remoting/asio_io.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>
#include <absl/synchronization/notification.h>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "asio/asio_transport.h"

namespace quern::remoting {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;
using boost::system::error_code;

constexpr Duration kDelayMax = std::chrono::hours(24 * 365);
constexpr size_t kThreadNameBytes = 15;

// A yield that takes longer has let another thread run: the core is wanted.
constexpr Duration kYieldedAway = std::chrono::microseconds(10);

// Whether to spin before a sleep: after each spin in vain, only at half as many sleeps as before.
class SpinHistory {
 public:
  bool WorthIt() { return waits_++ % interval_ == 0; }
  void OnFound() { interval_ = std::max(interval_ / 2, 1u); }
  void OnInVain() { interval_ = std::min(interval_ * 2, kIntervalMax); }

 private:
  static constexpr uint32_t kIntervalMax = 256;
  uint32_t interval_ = 1;
  uint32_t waits_ = 0;
};

}  // namespace

class AsioIo::Impl {
 public:
  explicit Impl(Options options)
      : options_(std::move(options)),
        work_(boost::asio::make_work_guard(io_)),
        timer_(io_),
        transport_(io_) {}

  ~Impl() { Stop(); }

  void Start() {
    thread_ = std::thread([this] { Loop(); });
    ::pthread_setname_np(thread_.native_handle(),
                         options_.name.substr(0, kThreadNameBytes).c_str());
  }

  void Stop() {
    {
      absl::MutexLock lock(&mutex_);
      stopped_ = true;
    }
    io_.stop();
    if (thread_.joinable()) thread_.join();
    running_.clear();
    // Destroyed after the lock is released: what a closure owns may post, or cancel, as it goes.
    std::vector<Closure> posted;
    std::map<TimerKey, Closure> timers;
    absl::MutexLock lock(&mutex_);
    posted.swap(posted_);
    timers.swap(timers_);
    due_.clear();
  }

  void Post(Closure closure) {
    absl::MutexLock lock(&mutex_);
    PostLocked(std::move(closure));
  }

  TimerId PostAfter(Duration delay, Closure closure) {
    const SteadyTime due =
        std::chrono::steady_clock::now() + std::clamp(delay, Duration::zero(), kDelayMax);
    absl::MutexLock lock(&mutex_);
    const TimerId id = ++last_timer_;
    if (stopped_) return id;
    const bool is_first = timers_.empty() || due < timers_.begin()->first.first;
    timers_.emplace(TimerKey(due, id), std::move(closure));
    due_.emplace(id, due);
    if (!is_first) return id;
    if (OnIoThread()) {
      rearm_ = true;
    } else {
      PostLocked([this] { ArmTimer(); });
    }
    return id;
  }

  bool Cancel(TimerId id) {
    Closure closure;  // destroyed after the lock is released
    absl::MutexLock lock(&mutex_);
    const auto found = due_.find(id);
    if (found == due_.end()) return false;
    const auto timer = timers_.find(TimerKey(found->second, id));
    closure = std::move(timer->second);
    timers_.erase(timer);
    due_.erase(found);
    return true;
  }

  bool Run(const std::function<void()>& closure) {
    if (OnIoThread()) {
      closure();
      return true;
    }
    // Released when the closure has run, or when it is destroyed unrun.
    struct Waiter {
      Waiter() = default;
      Waiter(const Waiter&) = delete;
      Waiter& operator=(const Waiter&) = delete;
      ~Waiter() { done->Notify(); }
      absl::Notification* done = nullptr;
    };
    absl::Notification done;
    bool ran = false;
    auto waiter = std::make_shared<Waiter>();
    waiter->done = &done;
    Post([&closure, &ran, waiter = std::move(waiter)] {
      closure();
      ran = true;
    });
    done.WaitForNotification();
    return ran;
  }

  bool OnIoThread() const { return io_thread_.load() == std::this_thread::get_id(); }

  AsioTransport& transport() { return transport_; }

 private:
  using TimerKey = std::pair<SteadyTime, TimerId>;

  void PostLocked(Closure closure) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (stopped_) return;
    posted_.push_back(std::move(closure));
    if (std::exchange(woken_, true)) return;
    boost::asio::post(io_, [this] { RunPosted(); });
  }

  void Loop() {
    io_thread_.store(std::this_thread::get_id());
    while (!io_.stopped()) {
      const bool worked = io_.poll() > 0;
      ArmIfAsked();
      if (worked || SpinFindsWork()) continue;
      io_.run_one();
      ArmIfAsked();
    }
  }

  // Looks for work for a moment, unless that has been in vain lately or someone else wants the
  // core.
  bool SpinFindsWork() {
    if (options_.spin <= Duration::zero() || !spin_.WorthIt()) return false;
    const SteadyTime begin = std::chrono::steady_clock::now();
    for (SteadyTime now = begin; now - begin < options_.spin;) {
      ::sched_yield();
      if (io_.poll() > 0 || io_.stopped()) {
        ArmIfAsked();
        spin_.OnFound();
        return true;
      }
      const SteadyTime then = std::exchange(now, std::chrono::steady_clock::now());
      if (now - then > kYieldedAway) break;
    }
    spin_.OnInVain();
    return false;
  }

  void RunPosted() {
    running_.clear();
    {
      absl::MutexLock lock(&mutex_);
      woken_ = false;
      running_.swap(posted_);
    }
    for (Closure& closure : running_) {
      if (io_.stopped()) break;
      closure();
      closure = nullptr;
    }
  }

  void ArmIfAsked() {
    bool rearm = false;
    {
      absl::MutexLock lock(&mutex_);
      rearm = std::exchange(rearm_, false);
    }
    if (rearm) ArmTimer();
  }

  void ArmTimer() {
    SteadyTime first;
    {
      absl::MutexLock lock(&mutex_);
      if (timers_.empty()) return;
      first = timers_.begin()->first.first;
    }
    timer_.expires_at(first);
    timer_.async_wait([this](const error_code& error) {
      if (!error) RunTimers();
    });
  }

  void RunTimers() {
    const SteadyTime now = std::chrono::steady_clock::now();
    while (!io_.stopped()) {
      Closure closure;
      {
        absl::MutexLock lock(&mutex_);
        if (timers_.empty() || timers_.begin()->first.first > now) break;
        const auto first = timers_.begin();
        closure = std::move(first->second);
        due_.erase(first->first.second);
        timers_.erase(first);
      }
      closure();
    }
    ArmTimer();
  }

  const Options options_;
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  boost::asio::steady_timer timer_;  // I/O thread only
  AsioTransport transport_;
  std::thread thread_;
  std::atomic<std::thread::id> io_thread_{};
  std::vector<Closure> running_;  // I/O thread only
  SpinHistory spin_;              // I/O thread only

  absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  bool rearm_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<Closure> posted_ ABSL_GUARDED_BY(mutex_);
  TimerId last_timer_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<TimerKey, Closure> timers_ ABSL_GUARDED_BY(mutex_);
  std::unordered_map<TimerId, SteadyTime> due_ ABSL_GUARDED_BY(mutex_);
};

AsioIo::AsioIo(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

AsioIo::~AsioIo() = default;

StatusOr<std::unique_ptr<AsioIo>> AsioIo::Start(Options options) {
  // Asio and std::thread report the lack of a descriptor or a thread by throwing.
  try {
    auto impl = std::make_unique<Impl>(std::move(options));
    impl->Start();
    return std::unique_ptr<AsioIo>(new AsioIo(std::move(impl)));
  } catch (const std::exception& error) {
    return absl::ResourceExhaustedError("start the I/O thread: " + std::string(error.what()));
  }
}

void AsioIo::Post(Closure closure) { impl_->Post(std::move(closure)); }

Executor::TimerId AsioIo::PostAfter(Duration delay, Closure closure) {
  return impl_->PostAfter(delay, std::move(closure));
}

bool AsioIo::Cancel(TimerId id) { return impl_->Cancel(id); }

bool AsioIo::Run(const std::function<void()>& closure) { return impl_->Run(closure); }

bool AsioIo::OnIoThread() const { return impl_->OnIoThread(); }

void AsioIo::Stop() { impl_->Stop(); }

Transport& AsioIo::transport() { return impl_->transport(); }

}  // namespace quern::remoting
