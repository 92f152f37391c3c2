#include "types.hpp"

namespace query::python {

namespace {
const Types* loaded = nullptr;
}

void load_types() {
  // Never freed: static destructors run when there is no interpreter left to free Python objects.
  loaded = new Types{
      .decimal = py::module_::import("decimal").attr("Decimal"),
      .uuid = py::module_::import("uuid").attr("UUID"),
      .decode_json = py::module_::import("libquery._json").attr("decode"),
      .main_thread = py::module_::import("threading").attr("main_thread"),
  };
}

auto types() noexcept -> const Types& { return *loaded; }

}  // namespace query::python
