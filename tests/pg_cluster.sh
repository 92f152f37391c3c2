#!/usr/bin/env bash
# A throw-away PostgreSQL for tests.
#   pg_cluster.sh start DIR [SETTING=VALUE ...]   makes a new one in DIR, writes its DSN to DIR/dsn
#   pg_cluster.sh stop DIR [MODE]                 stops it (fast) and removes DIR
#   pg_cluster.sh restart DIR [MODE]              stops (fast, immediate) and starts it again
set -euo pipefail

die() { echo "pg_cluster.sh: $*" >&2; exit 1; }

find_bin() {
  local candidate
  for candidate in "${PG_BIN:-}" "$(dirname "$(command -v initdb || echo /none/initdb)")" \
      $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV); do
    # A wrapper that drops root by itself would surprise us: only real server binaries count.
    if [ -x "$candidate/initdb" ] && [ -x "$candidate/postgres" ] && [ -x "$candidate/pg_ctl" ]; then
      echo "$candidate"
      return
    fi
  done
  die "no PostgreSQL server found; install the package postgresql"
}

# initdb and postgres refuse root.
as_owner() {
  if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

pg_ctl() { (cd / && as_owner "$bin/pg_ctl" -D "$dir/data" -s -w -t 60 "$@"); }

[ $# -ge 2 ] || die "usage: pg_cluster.sh start|stop|restart DIR"
command=$1
link=$(realpath -ms "$2")
dir=$(realpath -m "$2")
shift 2
bin=$(find_bin)

stop() {
  if [ -f "$dir/data/postmaster.pid" ]; then pg_ctl stop -m "$1" >/dev/null 2>&1 || true; fi
}

start() {
  pg_ctl start -l "$dir/log" </dev/null >/dev/null 2>&1 ||
    { tail -n 20 "$dir/log" >&2; die "it did not start"; }
}

remove() {
  stop "$1"
  if [ -d "$dir/data" ]; then rm -rf "$dir"; fi
  rm -rf "$link"
}

case $command in
  start)
    remove immediate
    # The true place is a short path (a socket's may have 107 bytes) that the owner may enter.
    dir=$(mktemp -d /tmp/pg.XXXXXX)
    mkdir -p "$(dirname "$link")"
    ln -s "$dir" "$link"
    [ "$(id -u)" != 0 ] || chown postgres "$dir"
    (cd / && as_owner "$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 \
      --no-sync >/dev/null)
    {
      echo "listen_addresses = ''"
      echo "unix_socket_directories = '$dir'"
      echo "fsync = off"
      echo "max_connections = 120"
      echo "max_prepared_transactions = 5"
      for setting in "$@"; do echo "$setting"; done
    } | as_owner tee -a "$dir/data/postgresql.conf" >/dev/null
    start
    echo "host=$dir user=postgres dbname=postgres" | tee "$dir/dsn"
    ;;
  stop) remove "${1:-fast}" ;;
  restart)
    stop "${1:-fast}"
    start
    ;;
  *) die "unknown command: $command" ;;
esac
