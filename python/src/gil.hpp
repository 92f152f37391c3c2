#pragma once

#include <unistd.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "python.hpp"

namespace query::python {

/// Runs `work` without the GIL. Every call into the engine goes through here, however short: the
/// engine may wait for a thread that waits for the GIL.
template <class Work>
auto without_gil(Work work) {
  const py::gil_scoped_release released;
  return work();
}

/// Lets signals through while a call waits. The handler of a signal runs in the main thread only
/// (that is Python's rule); what it raises, KeyboardInterrupt as a rule, ends the wait.
class Interruption : public std::enable_shared_from_this<Interruption> {
 public:
  /// Needs the GIL.
  [[nodiscard]] static auto make() -> std::shared_ptr<Interruption>;

  /// Makes the engine ask about ten times a second, for as long as it keeps the options.
  void attach(QueryOptions& options);

  /// As without_gil, and raises what a signal handler raised meanwhile, even where the work was
  /// done before anybody asked.
  template <class Work>
  void run(Work work) {
    try {
      without_gil(std::move(work));
    } catch (const Interrupted&) {
      raise_pending();
      throw;
    }
    raise_pending();
  }

  /// True when a signal handler raised. For long work that does not wait; needs no GIL.
  [[nodiscard]] auto check() -> bool;

  /// Needs the GIL.
  void raise_pending();

 private:
  unsigned long main_thread_ = 0;
  std::optional<py::error_already_set> pending_;
};

/// Something of the engine that a Python object owns. It is destroyed without the GIL, for that
/// may take a round trip; in a forked child it is not destroyed at all: its sockets are the
/// parent's, and a farewell on them would end the parent's sessions.
template <class T>
class Owned {
 public:
  explicit Owned(const char* name) noexcept : name_(name) {}
  Owned(const Owned&) = delete;
  auto operator=(const Owned&) -> Owned& = delete;
  ~Owned() { reset(); }

  void emplace(std::unique_ptr<T> value) noexcept {
    reset();
    value_ = std::move(value);
    owner_ = getpid();
  }

  explicit operator bool() const noexcept { return value_ != nullptr; }

  /// Throws std::runtime_error in a forked child.
  [[nodiscard]] auto get() const -> T& {
    if (getpid() != owner_) {
      throw std::runtime_error(std::string("this ") + name_ +
                               " belongs to the parent process; make a Pool after the fork");
    }
    return *value_;
  }

  void reset() noexcept {
    if (value_ == nullptr) {
      return;
    }
    if (getpid() != owner_) {
      static_cast<void>(value_.release());
    } else if (PyGILState_Check() != 0) {
      PyThreadState* const state = PyEval_SaveThread();  // as without_gil, which may throw
      value_.reset();
      PyEval_RestoreThread(state);
    } else {
      value_.reset();
    }
  }

 private:
  const char* name_;
  std::unique_ptr<T> value_;
  pid_t owner_ = 0;
};

/// Marks an object of one thread as in use; a second thread is refused, not queued.
class InUse {
 public:
  InUse(bool& flag, const char* name) : flag_(flag) {
    if (flag_) {
      throw std::runtime_error(std::string("this ") + name + " is in use by another thread");
    }
    flag_ = true;
  }
  InUse(const InUse&) = delete;
  auto operator=(const InUse&) -> InUse& = delete;
  ~InUse() { flag_ = false; }

 private:
  bool& flag_;
};

}  // namespace query::python
