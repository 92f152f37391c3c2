#!/usr/bin/env bash
# run.sh BUILD_DIR WORK_DIR: installs the built library into a prefix that is then moved, and builds
# consumers against it: by find_package and by pkg-config.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$1
work=$2
rm -rf "$work"
mkdir -p "$work"

cmake --install "$build" --prefix "$work/first" >/dev/null
mv "$work/first" "$work/prefix"  # an installed tree may be moved
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

cmake -S "$here/find_package" -B "$work/find_package" -DCMAKE_PREFIX_PATH="$work/prefix" >/dev/null
cmake --build "$work/find_package" >/dev/null
expect "$work/find_package/consumer" find_package

export PKG_CONFIG_PATH=$libdir/pkgconfig
static=()
[ -e "$libdir/libquery.so" ] || static=(--static)
# shellcheck disable=SC2046 # pkg-config prints words
c++ -std=c++20 "$here/consumer.cpp" -o "$work/pkg_config" \
  $(pkg-config "${static[@]}" --cflags --libs query)
expect "$work/pkg_config" pkg-config
