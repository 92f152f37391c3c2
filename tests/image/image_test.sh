#!/usr/bin/env bash
# Builds the image by the legacy builder and runs it against a throw-away PostgreSQL.
# Everything but the build is on loopback. Exit code 77: Docker cannot run here.
# The base image, the layers and the data of a Docker of its own stay in build/docker.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source_dir=$(cd "$here/../.." && pwd)
state=$source_dir/build/docker
base=debian:trixie-slim
image=query-server:image-test
max_bytes=$((120 * 1000 * 1000))
mkdir -p "$state"

say() { echo "[$SECONDS s] $*"; }
die() { echo "image_test.sh: $*" >&2; exit 1; }
skip() { echo "SKIPPED: $*"; exit 77; }

# shellcheck source-path=SCRIPTDIR source=docker.sh
. "$here/docker.sh"

containers=()
finish() {
  local code=$? name
  trap - EXIT
  set +e
  for name in "${containers[@]}"; do
    if [ "$code" != 0 ] && [ "$code" != 77 ]; then
      echo "--- log of $name" >&2
      timeout 20 docker logs "$name" 2>&1 | tail -n 20 >&2 || true
    fi
    timeout 30 docker rm -f "$name" >/dev/null 2>&1 || true
  done
  if [ -n "${cluster:-}" ]; then
    timeout 60 "$source_dir/tests/pg_cluster.sh" stop "$cluster" immediate || true
  fi
  stop_docker
  say "total time, exit code $code"
  exit "$code"
}
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# One run at a time: they share build/docker.
exec 9>"$state/lock"
flock -w 900 9 || die "another run holds $state/lock"

expect() {  # WHAT EXPECTED ACTUAL
  if [ "$2" != "$3" ]; then
    printf 'image_test.sh: %s\n  expected: %s\n  actual:   %s\n' "$1" "$2" "$3" >&2
    exit 1
  fi
  say "ok: $1"
}

inspect() { timeout 20 docker image inspect --format "$1" "$image"; }
label() { inspect "{{index .Config.Labels \"org.opencontainers.image.$1\"}}"; }

# A port of 127.0.0.1 below the ephemeral ones on which nothing listens.
free_port() {
  local port
  while true; do
    port=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
}

run() {  # NAME ARGUMENT...: as Kubernetes' restricted profile runs it
  containers+=("$1")
  timeout 60 docker run --detach --name "$1" --read-only --cap-drop ALL \
    --security-opt no-new-privileges "${@:2}" "$image" >/dev/null
}

eventually() {  # SECONDS COMMAND...
  local until=$((SECONDS + $1))
  until "${@:2}"; do
    [ "$SECONDS" -lt "$until" ] || return 1
    sleep 0.2
  done
}

get_ok() { curl -fsS -m 5 -o /dev/null "$1" 2>/dev/null; }

healthy() { [ "$(timeout 20 docker inspect --format '{{.State.Health.Status}}' "$1")" = healthy ]; }

build() {
  local proxy="" version
  eval "$(apt-config shell proxy Acquire::http::Proxy 2>/dev/null)"
  if [ -n "$proxy" ]; then export http_proxy=$proxy; fi
  version=$(sed -n 's/^project(query VERSION \([0-9.]*\).*/\1/p' "$source_dir/CMakeLists.txt")
  say "docker build, version $version"
  DOCKER_BUILDKIT=0 timeout 1500 docker build --network host --build-arg http_proxy \
    --build-arg "VERSION=$version" --build-arg REVISION=image-test --tag "$image" "$source_dir" \
    >"$state/build.log" 2>&1 || { tail -n 40 "$state/build.log" >&2; die "the build failed"; }
  say "built"
  expect "the version of label and binary" "query-server $(label version)" \
    "$(timeout 20 docker run --rm --network none "$image" --version)"
}

check_metadata() {
  expect "a numeric user" 65532:65532 "$(inspect '{{.Config.User}}')"
  expect "the stop signal" SIGTERM "$(inspect '{{.Config.StopSignal}}')"
  expect "the entry point, in exec form" '["query-server"]' "$(inspect '{{json .Config.Entrypoint}}')"
  expect "the health check, in exec form" '["CMD","query-server","--healthcheck"]' \
    "$(inspect '{{json .Config.Healthcheck.Test}}')"
  expect "the title" query-server "$(label title)"
  expect "the revision" image-test "$(label revision)"
  expect "the licence" Apache-2.0 "$(label licenses)"
  local bytes
  bytes=$(inspect '{{.Size}}')
  [ "$bytes" -le "$max_bytes" ] || die "the image has $bytes bytes, more than $max_bytes"
  say "ok: $((bytes / 1000000)) MB"
}

check_refusal() {
  local code=0 output
  output=$(timeout 30 docker run --rm --network none -e DATABASE_URL=postgresql://127.0.0.1/x \
    "$image" 2>&1) || code=$?
  expect "the exit code without QUERY_AUTH" 2 "$code"
  case $output in
    *"refusing to listen on 0.0.0.0:8080"*) say "ok: the refusal says why" ;;
    *) die "the refusal does not say why: $output" ;;
  esac
}

# The settings as shipped, and no database in reach: alive all the same.
check_health() {
  local name=query-image-test-health-$$
  run "$name" --network none -e QUERY_AUTH=none -e DATABASE_URL=postgresql://127.0.0.1:1/x \
    --health-interval 1s
  eventually 30 healthy "$name" || die "docker does not call it healthy"
  say "ok: healthy by its HEALTHCHECK"
}

check_query() {
  local name=query-image-test-$$ port pg_port code=0
  pg_port=$(free_port)
  cluster=$state/pg
  timeout 120 "$source_dir/tests/pg_cluster.sh" start "$cluster" "port = $pg_port" \
    "listen_addresses = '127.0.0.1'" >/dev/null
  port=$(free_port)
  run "$name" --network host -e QUERY_LISTEN="127.0.0.1:$port" \
    -e DATABASE_URL="postgresql://postgres@127.0.0.1:$pg_port/postgres"
  eventually 30 get_ok "http://127.0.0.1:$port/readyz" || die "it does not become ready"
  curl -fsS -m 10 -o "$state/answer" -d 'select 1 as one' "http://127.0.0.1:$port/query"
  printf '%s' '{"columns":[{"name":"one","type":"int4","oid":23}],"rows":[{"one":1}],"command":"SELECT","row_count":1}' \
    >"$state/expected"
  cmp "$state/expected" "$state/answer" || die "another answer: $(cat "$state/answer")"
  say "ok: select 1 as one"
  # Thousands of rows come through libpq's chunks.
  expect "the bytes of 100000 rows" "$(seq -f '{"n":%.0f}' 100000 | sha256sum)" \
    "$(curl -fsS -m 60 -H 'Accept: application/x-ndjson' \
      -d 'select n from generate_series(1, 100000) n' "http://127.0.0.1:$port/query" | sha256sum)"
  expect "the user it runs as" 65532 "$(timeout 20 docker exec "$name" id -u)"
  timeout 20 docker exec "$name" query-server --healthcheck || code=$?
  expect "the exit code of --healthcheck" 0 "$code"
  timeout 60 docker stop --time 30 "$name" >/dev/null
  expect "the exit code after SIGTERM" 0 "$(docker inspect --format '{{.State.ExitCode}}' "$name")"
}

install_tools
start_docker
say "docker client and server $(docker version --format '{{.Client.Version}} {{.Server.Version}}')"
need_base "$base"
build
check_metadata
check_refusal
check_health
check_query
say "all is well"
