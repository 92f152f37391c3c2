#include <query/buffer.hpp>

#include <algorithm>

namespace query {

void Buffer::grow(std::size_t count) {
  const std::size_t needed = size_ + count;
  const std::size_t capacity = std::max({needed, capacity_ * 2, std::size_t{256}});
  auto bytes = std::make_unique_for_overwrite<char[]>(capacity);  // NOLINT(*-avoid-c-arrays)
  if (size_ > 0) {
    std::memcpy(bytes.get(), bytes_.get(), size_);
  }
  bytes_ = std::move(bytes);
  capacity_ = capacity;
}

}  // namespace query
