#!/usr/bin/env bash
# wheel.sh DIR: a fresh virtual environment with the Python package, built and installed as users
# do it: pip install . Made anew when a source changes; else nothing is done, and no network needed.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$1
requirements=tests/requirements.txt
state=$(find CMakeLists.txt pyproject.toml libquery python "$requirements" -type f \
  -not -path '*/__pycache__/*' -print0 | sort -z | xargs -0 sha256sum)
if [ "$state" != "$(cat "$venv/made-from" 2>/dev/null)" ] || ! "$venv/bin/python" -c '' 2>/dev/null; then
  python3 -m venv --clear "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements" .
  echo "$state" >"$venv/made-from"
fi
