#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_session.hpp>

auto main(int argc, char** argv) -> int { return Catch::Session().run(argc, argv); }
#else
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#endif
