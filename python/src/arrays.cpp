#include <string>

#include "values.hpp"

namespace query::python {

namespace {

/// PostgreSQL manual, "Array Input and Output Syntax": {1,NULL,"a \"b\""}, nested.
class ArrayText {
 public:
  ArrayText(std::string_view text, Decode element, char delimiter)
      : text_(text), element_(element), delimiter_(delimiter) {}

  /// nullptr with no error set where the text is no array.
  auto parse() -> PyObject* {
    if (peek() == '[') {  // explicit bounds, [0:1]={…}
      at_ = text_.find('=');
      at_ = at_ == std::string_view::npos ? text_.size() : at_ + 1;
    }
    if (peek() != '{') {
      return nullptr;
    }
    py::object list = parse_list();
    return list && at_ == text_.size() ? list.release().ptr() : nullptr;
  }

 private:
  [[nodiscard]] auto peek() const -> char { return at_ < text_.size() ? text_[at_] : '\0'; }

  auto parse_list() -> py::object {
    auto list = py::reinterpret_steal<py::object>(PyList_New(0));
    ++at_;  // {
    if (peek() == '}') {
      ++at_;
      return list;
    }
    while (list) {
      const py::object item = parse_item();
      if (!item || PyList_Append(list.ptr(), item.ptr()) != 0) {
        return {};
      }
      const char next = peek();
      ++at_;
      if (next == '}') {
        return list;
      }
      if (next != delimiter_) {
        return {};
      }
    }
    return list;
  }

  auto parse_item() -> py::object {
    if (peek() == '{') {
      return parse_list();
    }
    if (peek() == '"') {
      return parse_quoted();
    }
    const std::size_t start = at_;
    while (at_ < text_.size() && text_[at_] != delimiter_ && text_[at_] != '}') {
      ++at_;
    }
    const std::string_view item = text_.substr(start, at_ - start);
    return item == "NULL" ? py::object(py::none())
                          : py::reinterpret_steal<py::object>(element_(item));
  }

  auto parse_quoted() -> py::object {
    item_.clear();
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) {
        ++at_;
      }
      item_ += text_[at_];
    }
    ++at_;  // the closing quote
    return py::reinterpret_steal<py::object>(element_(item_));
  }

  std::string_view text_;
  Decode element_;
  char delimiter_;
  std::size_t at_ = 0;
  std::string item_;
};

}  // namespace

auto decode_array(std::string_view text, Decode element, char delimiter) -> PyObject* {
  PyObject* list = ArrayText(text, element, delimiter).parse();
  return list != nullptr || PyErr_Occurred() != nullptr ? list : decode_str(text);
}

auto decode_vector(std::string_view text) -> PyObject* {
  auto list = py::reinterpret_steal<py::object>(PyList_New(0));
  const Decode decode_int = decoder_of(23).decode;
  while (list && !text.empty()) {
    const std::size_t end = text.find(' ');
    const auto item = py::reinterpret_steal<py::object>(decode_int(text.substr(0, end)));
    if (!item || PyList_Append(list.ptr(), item.ptr()) != 0) {
      return nullptr;
    }
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return list.release().ptr();
}

}  // namespace query::python
