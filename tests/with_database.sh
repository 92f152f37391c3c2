#!/usr/bin/env bash
# with_database.sh DIR --start        starts the tests' cluster, unless a database is exported
# with_database.sh DIR COMMAND ...    runs a command with LIBQUERY_TEST_DSN set
#
# LIBQUERY_TEST_CLUSTER tells the command that the cluster is its own to restart.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cluster=$1
shift
if [ "$1" = --start ]; then
  [ -n "${LIBQUERY_TEST_DSN:-}" ] || exec "$here/pg_cluster.sh" start "$cluster"
  echo "using the exported database"
  exit
fi
if [ -z "${LIBQUERY_TEST_DSN:-}" ]; then
  LIBQUERY_TEST_DSN=$(<"$cluster/dsn")
  LIBQUERY_TEST_CLUSTER=$cluster
  export LIBQUERY_TEST_DSN LIBQUERY_TEST_CLUSTER
fi
exec "$@"
