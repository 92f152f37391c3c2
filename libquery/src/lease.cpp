#include "lease.hpp"

#include <stdexcept>
#include <string>
#include <utility>

#include "statement_text.hpp"

namespace query::detail {

PoolCore::PoolCore(const PoolOptions& options) : settings_(options), pool_(options) {
  if (options.max_size == 0) {
    throw std::invalid_argument("PoolOptions::max_size must be at least 1");
  }
}

auto PoolCore::acquire(const QueryOptions& options) -> std::shared_ptr<Lease> {
  const Patience patience(options);
  try {
    ResourcePool<Session>::Place place = pool_.acquire(patience);
    try {
      if (place.resource && !usable(*place.resource, patience)) {
        place.resource.reset();
      }
      if (!place.resource) {
        place.resource = Session::open(settings_, patience);
        pool_.opened(place);
      }
      read_catalog(*place.resource, patience);
    } catch (...) {
      place.resource.reset();
      pool_.open_failed(std::move(place));
      throw;
    }
    return std::make_shared<Lease>(shared_from_this(), std::move(place));
  } catch (const OutOfPatience& end) {
    throw_out_of_patience(end, "waiting for a connection");
  }
}

auto PoolCore::usable(Session& session, const Patience& patience) -> bool {
  // The answers of the reset are here already, or the server does not answer any more.
  constexpr std::chrono::milliseconds kResetGrace{2000};
  try {
    session.settle(patience.until(after(kResetGrace)));
    return session.sound() && !session.went_away();
  } catch (const OutOfPatience&) {
    check(patience);  // was it the caller's own patience?
    return false;
  } catch (const Error&) {
    return false;
  }
}

/// Reads for the proof, where it is time to.
void PoolCore::read_catalog(Session& session, const Patience& patience) {
  const auto number = proof_.begin_reading();
  if (!number) {
    return;
  }
  try {
    proof_.adopt(*number, CatalogNames(session.run(CatalogNames::question(), patience).get()));
  } catch (const SqlError&) {  // then nothing is proven
    proof_.give_up();
  } catch (...) {
    proof_.give_up();
    throw;
  }
}

auto PoolCore::stats() const -> PoolStats {
  PoolStats stats = pool_.stats();
  stats.resets = resets_;
  stats.resets_skipped = resets_skipped_;
  return stats;
}

void PoolCore::give_back(ResourcePool<Session>::Place place, bool traceless) noexcept {
  try {
    Session& session = *place.resource;
    // What a cancel request leaves behind in a race shall meet the reset, not the next lease.
    const bool left_as_it_was =
        traceless && !session.cancellable() && session.transaction_status() == PQTRANS_IDLE;
    const bool reusable = session.release_cancel_target() && session.sound() &&
                          session.transaction_status() != PQTRANS_ACTIVE &&
                          session.transaction_status() != PQTRANS_UNKNOWN;
    if (session.vanished()) {
      pool_.start_new_generation();
    }
    if (!reusable) {
      place.resource.reset();
    } else if (settings_.reset_session) {
      if (left_as_it_was) {
        ++resets_skipped_;
      } else {
        ++resets_;
        session.reset();
      }
    } else if (session.transaction_status() != PQTRANS_IDLE) {
      session.roll_back_in_passing();
    }
  } catch (...) {  // the reset could not be sent
    place.resource.reset();
  }
  try {
    pool_.release(std::move(place));
  } catch (...) {  // NOLINT(bugprone-empty-catch): out of memory, with nobody to tell
  }
}

Lease::~Lease() {
  Proof& proof = core_->proof();
  if (changes_catalog_) {
    proof.end_change();
  }
  core_->give_back(std::move(place_), traceless_ && proof.unchanged_since(begun_));
}

void Lease::note(std::string_view sql, bool alone) {
  const bool proven = core_->proof().leaves_no_trace(sql);
  traceless_ = traceless_ && alone && proven;
  if (!proven && !changes_catalog_ && may_change_catalog(sql)) {
    changes_catalog_ = true;
    core_->proof().begin_change();
  }
}

void Lease::require_idle() const {
  if (answering) {
    throw std::logic_error(
        "an answer on this connection is still open: read it to its end or destroy it first");
  }
}

void throw_out_of_patience(const OutOfPatience& end, const char* doing, Outcome outcome) {
  const std::string while_doing = std::string(" while ") + doing;
  if (end.cause == OutOfPatience::Cause::kInterrupted) {
    throw Interrupted("the caller gave up" + while_doing);
  }
  throw Timeout("the deadline passed" + while_doing, outcome);
}

}  // namespace query::detail
