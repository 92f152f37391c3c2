#!/usr/bin/env bash
# venv.sh DIR: a virtual environment with what the tests and linters need, made once.
set -euo pipefail
requirements=$(cd "$(dirname "$0")" && pwd)/requirements.txt
venv=$1
if ! cmp -s "$requirements" "$venv/requirements.txt"; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements"
  cp "$requirements" "$venv/requirements.txt"
fi
