#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>

#include <query/export.hpp>

namespace query {

/// A growing run of bytes to write into. Unlike std::string it never initialises what it reserves,
/// so that a writer can reserve once, write unchecked, and commit what it wrote.
///
/// Not thread-safe. Views and pointers are valid until the next call that may grow the buffer.
class QUERY_EXPORT Buffer {
 public:
  Buffer() noexcept = default;

  [[nodiscard]] auto data() const noexcept -> const char* { return bytes_.get(); }
  [[nodiscard]] auto size() const noexcept -> std::size_t { return size_; }
  [[nodiscard]] auto capacity() const noexcept -> std::size_t { return capacity_; }
  [[nodiscard]] auto empty() const noexcept -> bool { return size_ == 0; }
  [[nodiscard]] auto view() const noexcept -> std::string_view { return {bytes_.get(), size_}; }

  /// Makes room for `count` more bytes and returns where to write them. Throws std::bad_alloc.
  [[nodiscard]] auto reserve(std::size_t count) -> char* {
    if (capacity_ - size_ < count) {
      grow(count);
    }
    return bytes_.get() + size_;
  }

  /// Takes everything up to `end` (a pointer into what reserve() returned) as written.
  void commit(const char* end) noexcept { size_ = static_cast<std::size_t>(end - bytes_.get()); }

  void append(std::string_view text) {
    char* out = reserve(text.size());
    if (!text.empty()) {
      std::memcpy(out, text.data(), text.size());
    }
    size_ += text.size();
  }

  void push_back(char byte) {
    *reserve(1) = byte;
    ++size_;
  }

  /// Forgets the content, keeps the memory.
  void clear() noexcept { size_ = 0; }

 private:
  void grow(std::size_t count);

  std::unique_ptr<char[]> bytes_;  // NOLINT(modernize-avoid-c-arrays): uninitialised on purpose
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace query
