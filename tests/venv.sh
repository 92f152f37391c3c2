#!/usr/bin/env bash
# venv.sh DIR: a virtual environment with what tests and linters need. Made anew when the list
# changes; else nothing is done, and no network needed.
set -euo pipefail
requirements=$(cd "$(dirname "$0")" && pwd)/requirements.txt
venv=$1
mkdir -p "$venv"
exec 9<"$venv"
flock -w 600 9 # two test runs may come at once
if ! cmp -s "$requirements" "$venv/made-from" || ! "$venv/bin/python" -c '' 2>/dev/null; then
  python3 -m venv --clear "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements"
  cp "$requirements" "$venv/made-from"
fi
