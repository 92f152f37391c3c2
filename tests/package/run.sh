#!/usr/bin/env bash
# run.sh BUILD_DIR WORK_DIR: installs the built library into a prefix that is then moved, and builds
# consumers against it, by find_package and by pkg-config; and one that takes in the source tree.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$1
work=$2
rm -rf "$work"
mkdir -p "$work"

cmake --install "$build" --prefix "$work/first" >/dev/null
mv "$work/first" "$work/prefix" # an installed tree may be moved
libdir=$(dirname "$(find "$work/prefix" -name 'libquery.*' | head -n 1)")

expect() {
  local printed
  printed=$(LD_LIBRARY_PATH=$libdir "$1")
  [[ $printed =~ ^[0-9]+\.[0-9]+\.[0-9]+\ 0\ int4$ ]] || { echo "$1 printed: $printed" >&2; exit 1; }
  echo "$2: $printed"
}

if grep -rlE '#include <(libpq-fe|nlohmann)' "$work/prefix/include"; then
  echo "a public header shows libpq or JSON" >&2
  exit 1
fi

cmake_consumer() {
  local log=$work/$1.log
  { cmake -S "$here/$1" -B "$work/$1" "${@:2}" && cmake --build "$work/$1" --parallel 2; } \
    >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
  expect "$work/$1/consumer" "$1"
}

cmake_consumer find_package -DCMAKE_PREFIX_PATH="$work/prefix"
cmake_consumer add_subdirectory -DQUERY_SOURCE_DIR="$here/../.." -DCMAKE_BUILD_TYPE=Debug

# Our headers are no cause of warnings in a program that is strict with itself.
export PKG_CONFIG_PATH=$libdir/pkgconfig
# shellcheck disable=SC2046 # pkg-config prints words
c++ -std=c++20 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wold-style-cast -Werror \
  "$here/consumer.cpp" -o "$work/pkg_config" $(pkg-config --cflags --libs query)
expect "$work/pkg_config" pkg-config
