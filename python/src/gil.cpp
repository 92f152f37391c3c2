#include "gil.hpp"

#include <pythread.h>

#include <optional>
#include <utility>

#include "types.hpp"

namespace query::python {

auto Interruption::make() -> std::shared_ptr<Interruption> {
  auto made = std::make_shared<Interruption>();
  // Asked anew each time: a fork makes the forking thread the main one.
  made->main_thread_ = py::cast<unsigned long>(types().main_thread().attr("ident"));
  return made;
}

void Interruption::attach(QueryOptions& options) {
  options.interrupted = [self = shared_from_this()] { return self->check(); };
}

auto Interruption::check() -> bool {
  if (PyThread_get_thread_ident() != main_thread_) {
    return false;
  }
  const py::gil_scoped_acquire gil;
  if (!pending_ && PyErr_CheckSignals() != 0) {
    pending_.emplace();
  }
  return pending_.has_value();
}

void Interruption::raise_pending() {
  if (pending_) {
    throw *std::exchange(pending_, std::nullopt);
  }
}

}  // namespace query::python
