# shellcheck shell=bash
# Sourced after $state, the directory it may write, and say, die and skip are set.
: "${state:?}"
# A Docker for image_test.sh: the one that answers, or one of its own under build/docker.

# Docker and debootstrap by apt where they are missing.
install_tools() {
  local missing=()
  command -v docker >/dev/null && command -v dockerd >/dev/null || missing+=(docker.io)
  command -v debootstrap >/dev/null || missing+=(debootstrap)
  command -v curl >/dev/null || missing+=(curl)
  if [ ${#missing[@]} = 0 ]; then return; fi
  [ "$(id -u)" = 0 ] || skip "missing ${missing[*]}, and only root may install packages"
  say "install ${missing[*]}"
  timeout 120 apt-get update -qq >"$state/apt.log" 2>&1 || tail -n 5 "$state/apt.log" >&2
  DEBIAN_FRONTEND=noninteractive timeout 300 apt-get install -y -qq --no-install-recommends \
    "${missing[@]}" >>"$state/apt.log" 2>&1 ||
    { tail -n 20 "$state/apt.log" >&2; die "apt could not install ${missing[*]}"; }
}

docker_answers() { timeout 20 docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

# A bridge would need iptables; containers of this test have the host's network or none.
start_docker() {
  if docker_answers; then return; fi
  [ "$(id -u)" = 0 ] || skip "no Docker daemon answers, and only root may start one"
  unshare --mount true 2>/dev/null || skip "no Docker daemon answers, and no privilege to start one"
  # Short, because a socket's path may have 107 bytes.
  docker_run=$(mktemp -d /tmp/docker.XXXXXX)
  export DOCKER_HOST=unix://$docker_run/docker.sock
  dockerd --host "$DOCKER_HOST" --data-root "$state/data" --exec-root "$docker_run/exec" \
    --pidfile "$docker_run/pid" --iptables=false --ip6tables=false --bridge=none \
    >"$state/dockerd.log" 2>&1 </dev/null 9>&- &
  docker_pid=$!
  local wait
  for ((wait = 0; wait < 120; wait++)); do
    if docker_answers; then
      # Layers of earlier builds are the cache, but not for ever.
      timeout 120 docker image prune --force --filter until=168h >/dev/null || true
      return
    fi
    kill -0 "$docker_pid" 2>/dev/null || break
    sleep 0.5
  done
  tail -n 20 "$state/dockerd.log" >&2
  die "dockerd did not start"
}

stop_docker() {
  if [ -z "${docker_pid:-}" ]; then return; fi
  kill "$docker_pid" 2>/dev/null || true
  timeout 60 tail --pid="$docker_pid" -f /dev/null || kill -KILL "$docker_pid" 2>/dev/null || true
  wait "$docker_pid" 2>/dev/null || true
  # It leaves the host network's namespace bound there.
  umount "$docker_run"/exec/netns/* 2>/dev/null || true
  rm -rf --one-file-system "$docker_run"
}

# Where apt itself gets Debian from; nothing where it has no such source.
apt_mirror() {
  apt-get indextargets --format "\$(REPO_URI) \$(LABEL)" 'Created-By: Packages' 2>/dev/null |
    sed -n '/^http.* Debian$/{s/ .*//;p;q}'
}

# The base image by debootstrap, much as debian:trixie-slim is made: no registry is needed.
make_base() {
  local tar=$state/base.tar root mirror
  if [ ! -s "$tar" ]; then
    mirror=$(apt_mirror)
    say "debootstrap trixie from ${mirror:-its default mirror}"
    root=$(mktemp -d "$state/root.XXXXXX")
    timeout 900 debootstrap --variant=minbase trixie "$root" ${mirror:+"$mirror"} \
      >"$state/debootstrap.log" 2>&1 ||
      { tail -n 20 "$state/debootstrap.log" >&2; die "debootstrap failed"; }
    tar -C "$root" --numeric-owner --one-file-system -cf "$tar.new" --exclude='./dev/*' \
      --exclude='./var/cache/apt/*' --exclude='./var/lib/apt/lists/*' \
      --exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' \
      --exclude='./usr/share/locale/*' .
    mv "$tar.new" "$tar"
    rm -rf --one-file-system "$root"
  fi
  timeout 120 docker import - "$1" <"$tar" >/dev/null
}

need_base() {
  if timeout 20 docker image inspect "$1" >/dev/null 2>&1; then return; fi
  if [ "$(id -u)" = 0 ]; then
    make_base "$1"
  else
    timeout 300 docker pull -q "$1" >/dev/null 2>&1 ||
      skip "no image $1: no registry has it, and only root may make it by debootstrap"
  fi
}
