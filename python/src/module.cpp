#include "python.hpp"
#include "types.hpp"

PYBIND11_MODULE(_core, module) {
  module.doc() = "The engine behind libquery; use the libquery package, not this.";
  module.attr("__version__") = query::kVersion;
  query::python::load_types();
  query::python::register_errors();
  query::python::register_stream(module);
  query::python::register_transaction(module);
  query::python::register_pool(module);
}
