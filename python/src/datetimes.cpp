#include "datetimes.hpp"

#include <datetime.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <unordered_map>

#include "text.hpp"
#include "values.hpp"

namespace query::python {

namespace {

/// The module's C API, loaded at the first use. Its macros use the same pointer, which is this
/// file's own, so whatever uses them is in this file and calls api() before.
auto api() -> PyDateTime_CAPI* {
  if (PyDateTimeAPI == nullptr) {
    PyDateTime_IMPORT;
    if (PyDateTimeAPI == nullptr) {
      throw py::error_already_set();
    }
  }
  return PyDateTimeAPI;
}

/// Reads a text from left to right; every step says whether the text was as expected.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  [[nodiscard]] auto done() const -> bool { return text_.empty(); }
  [[nodiscard]] auto peek() const -> char { return text_.empty() ? '\0' : text_.front(); }

  auto skip(char expected) -> bool {
    if (peek() != expected) {
      return false;
    }
    text_.remove_prefix(1);
    return true;
  }

  auto skip(std::string_view expected) -> bool {
    if (!text_.starts_with(expected)) {
      return false;
    }
    text_.remove_prefix(expected.size());
    return true;
  }

  /// Between `least` and `most` digits.
  auto digits(std::size_t least, std::size_t most, std::int64_t& number) -> bool {
    number = 0;
    count_ = 0;
    while (count_ < most && peek() >= '0' && peek() <= '9') {
      number = number * 10 + (peek() - '0');
      text_.remove_prefix(1);
      ++count_;
    }
    return count_ >= least;
  }

  auto two(int& number) -> bool {
    std::int64_t read = 0;
    const bool ok = digits(2, 2, read);
    number = static_cast<int>(read);
    return ok;
  }

  /// `.5` is 500000 microseconds; nothing is 0.
  auto fraction(int& microseconds) -> bool {
    microseconds = 0;
    if (!skip('.')) {
      return true;
    }
    std::int64_t read = 0;
    if (!digits(1, 6, read)) {
      return false;
    }
    for (std::size_t i = count_; i < 6; ++i) {
      read *= 10;
    }
    microseconds = static_cast<int>(read);
    return true;
  }

 private:
  std::string_view text_;
  std::size_t count_ = 0;
};

struct Date {
  int year, month, day;
};

/// 2024-01-02; other DateStyles and years beyond 9999 do not look like this.
auto read_date(Reader& reader, Date& date) -> bool {
  std::int64_t year = 0;
  const bool ok = reader.digits(4, 4, year) && reader.skip('-') && reader.two(date.month) &&
                  reader.skip('-') && reader.two(date.day);
  date.year = static_cast<int>(year);
  return ok && date.year >= 1 && date.month >= 1 && date.month <= 12 && date.day >= 1;
}

struct Time {
  int hour, minute, second, microsecond;
};

auto read_time(Reader& reader, Time& time) -> bool {
  return reader.two(time.hour) && reader.skip(':') && reader.two(time.minute) && reader.skip(':') &&
         reader.two(time.second) && reader.fraction(time.microsecond) && time.hour < 24 &&
         time.minute < 60 && time.second < 60;
}

/// +02, +05:45, -00:43:08; in seconds.
auto read_offset(Reader& reader, int& offset) -> bool {
  const char sign = reader.peek();
  if (!reader.skip('+') && !reader.skip('-')) {
    return false;
  }
  int hours = 0;
  int minutes = 0;
  int seconds = 0;
  if (!reader.two(hours) || (reader.skip(':') && !reader.two(minutes)) ||
      (reader.skip(':') && !reader.two(seconds)) || hours >= 24) {
    return false;
  }
  offset = (sign == '-' ? -1 : 1) * (hours * 3600 + minutes * 60 + seconds);
  return true;
}

auto make_zone(int offset) -> py::object {
  static_cast<void>(api());
  const auto delta = py::reinterpret_steal<py::object>(PyDelta_FromDSU(0, offset, 0));
  return delta ? py::reinterpret_steal<py::object>(PyTimeZone_FromOffset(delta.ptr()))
               : py::object();
}

/// A datetime.timezone; those of today's zones are made once and never freed, see load_types().
auto zone_of(int offset) -> py::object {
  constexpr int kQuarterHour = 900;
  if (offset % kQuarterHour != 0) {
    return make_zone(offset);
  }
  static auto* const zones = new std::unordered_map<int, py::object>;
  py::object& zone = (*zones)[offset];
  if (!zone) {
    zone = make_zone(offset);
  }
  return zone;
}

/// Python's value, or where Python refused it (31 February) the text itself.
auto or_text(PyObject* value, std::string_view text) -> PyObject* {
  if (value != nullptr || PyErr_ExceptionMatches(PyExc_ValueError) == 0) {
    return value;
  }
  PyErr_Clear();
  return decode_str(text);
}

auto make_time(const Time& time, PyObject* zone) -> PyObject* {
  return api()->Time_FromTime(time.hour, time.minute, time.second, time.microsecond, zone,
                              api()->TimeType);
}

auto make_datetime(const Date& date, const Time& time, PyObject* zone) -> PyObject* {
  return api()->DateTime_FromDateAndTime(date.year, date.month, date.day, time.hour, time.minute,
                                         time.second, time.microsecond, zone, api()->DateTimeType);
}

/// `3 days`, `-1 days`, `1 day`; `moved` says whether there was such a part.
auto read_days(Reader& reader, std::int64_t& days) -> bool {
  const bool negative = reader.skip('-');
  if (!negative) {
    static_cast<void>(reader.skip('+'));
  }
  if (!reader.digits(1, 10, days) || !(reader.skip(" days") || reader.skip(" day"))) {
    return false;
  }
  days = negative ? -days : days;
  return true;
}

/// `-102:03:04.5`, in microseconds; the hours may have many digits.
auto read_hours(Reader& reader, std::int64_t& microseconds) -> bool {
  const bool negative = reader.skip('-');
  if (!negative) {
    static_cast<void>(reader.skip('+'));
  }
  std::int64_t hours = 0;
  Time time{};
  if (!reader.digits(2, 10, hours) || !reader.skip(':') || !reader.two(time.minute) ||
      !reader.skip(':') || !reader.two(time.second) || !reader.fraction(time.microsecond)) {
    return false;
  }
  microseconds = ((hours * 60 + time.minute) * 60 + time.second) * 1'000'000 + time.microsecond;
  microseconds = negative ? -microseconds : microseconds;
  return true;
}

/// Python has normalised the parts: only the days are ever negative.
auto interval_text(PyObject* object) -> std::string {
  const auto* delta = reinterpret_cast<const PyDateTime_Delta*>(object);
  std::array<char, 64> text{};
  const int length = std::snprintf(text.data(), text.size(), "%d days %d.%06d seconds", delta->days,
                                   delta->seconds, delta->microseconds);
  return {text.data(), static_cast<std::size_t>(length)};
}

}  // namespace

auto datetime_text_of(py::handle value) -> std::optional<std::string> {
  static_cast<void>(api());
  PyObject* object = value.ptr();
  if (PyDate_Check(object) || PyTime_Check(object)) {  // a datetime is a date
    const py::object text = value.attr("isoformat")();
    return std::string(utf8_of(text));
  }
  if (PyDelta_Check(object)) {
    return interval_text(object);
  }
  return std::nullopt;
}

auto decode_date(std::string_view text) -> PyObject* {
  Reader reader(text);
  Date date{};
  if (!read_date(reader, date) || !reader.done()) {
    return decode_str(text);
  }
  return or_text(api()->Date_FromDate(date.year, date.month, date.day, api()->DateType), text);
}

auto decode_time(std::string_view text) -> PyObject* {
  Reader reader(text);
  Time time{};
  if (!read_time(reader, time) || !reader.done()) {
    return decode_str(text);
  }
  return or_text(make_time(time, Py_None), text);
}

auto decode_timetz(std::string_view text) -> PyObject* {
  Reader reader(text);
  Time time{};
  int offset = 0;
  if (!read_time(reader, time) || !read_offset(reader, offset) || !reader.done()) {
    return decode_str(text);
  }
  const py::object zone = zone_of(offset);
  return zone ? or_text(make_time(time, zone.ptr()), text) : nullptr;
}

auto decode_timestamp(std::string_view text) -> PyObject* {
  Reader reader(text);
  Date date{};
  Time time{};
  if (!read_date(reader, date) || !reader.skip(' ') || !read_time(reader, time) || !reader.done()) {
    return decode_str(text);
  }
  return or_text(make_datetime(date, time, Py_None), text);
}

auto decode_timestamptz(std::string_view text) -> PyObject* {
  Reader reader(text);
  Date date{};
  Time time{};
  int offset = 0;
  if (!read_date(reader, date) || !reader.skip(' ') || !read_time(reader, time) ||
      !read_offset(reader, offset) || !reader.done()) {
    return decode_str(text);
  }
  const py::object zone = zone_of(offset);
  return zone ? or_text(make_datetime(date, time, zone.ptr()), text) : nullptr;
}

auto decode_interval(std::string_view text) -> PyObject* {
  // Days and a time of day; months and years have no fixed length, so they stay text.
  constexpr std::int64_t kDay = std::int64_t{86'400} * 1'000'000;
  constexpr std::int64_t kMostDays = 999'999'999;
  static_cast<void>(api());
  Reader reader(text);
  std::int64_t days = 0;
  std::int64_t microseconds = 0;
  if (text.find("day") != std::string_view::npos) {
    if (!read_days(reader, days) || (!reader.done() && !reader.skip(' '))) {
      return decode_str(text);
    }
  } else if (text.empty()) {
    return decode_str(text);
  }
  if (!reader.done() && (!read_hours(reader, microseconds) || !reader.done())) {
    return decode_str(text);
  }
  days += microseconds / kDay;
  const auto rest = static_cast<int>(microseconds % kDay / 1'000'000);
  if (std::abs(days) >= kMostDays) {
    return decode_str(text);
  }
  const auto fraction = static_cast<int>(microseconds % 1'000'000);
  return or_text(PyDelta_FromDSU(static_cast<int>(days), rest, fraction), text);
}

}  // namespace query::python
