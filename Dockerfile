# query-server in a small Debian. It holds no PostgreSQL: name one by DATABASE_URL, QUERY_DATABASE,
# QUERY_DATABASE_FILE or libpq's PG* variables. Builds with BuildKit and with the legacy builder.
#   docker build -t query-server .
#   docker run -p 127.0.0.1:8080:8080 -e QUERY_AUTH=none -e DATABASE_URL=postgresql://... query-server

# A reproducible build names it with its digest: debian:trixie-slim@sha256:...
ARG BASE_IMAGE=debian:trixie-slim

FROM ${BASE_IMAGE} AS build
# Unpinned: Debian's archive deletes a version when it releases its fix.
# hadolint ignore=DL3008
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      cmake g++ libcli11-dev libcpp-httplib-dev libpq-dev libssl-dev ninja-build \
      nlohmann-json3-dev pkg-config \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY CMakeLists.txt CMakePresets.json ./
COPY libquery libquery
COPY server server
# -fhardened is GCC's set for network services, whatever the processor. It leaves linking alone where
# other link options are given, and says so: the linker is told apart.
RUN cmake --preset release -DQUERY_BUILD_TESTS=OFF \
      -DCMAKE_INTERPROCEDURAL_OPTIMIZATION=ON \
      -DCMAKE_CXX_FLAGS_RELEASE="-O2 -DNDEBUG -fhardened -Wno-hardened" \
      -DCMAKE_EXE_LINKER_FLAGS="-pie -Wl,-z,relro,-z,now" \
 && cmake --build --preset release --target query-server \
 && strip build/release/server/query-server

FROM ${BASE_IMAGE} AS runtime
# An account, because libpq asks for the user's name; its number, because Kubernetes' runAsNonRoot
# can judge no other.
# hadolint ignore=DL3008
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      ca-certificates libcpp-httplib0.18 libpq5 \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/* /var/log/* \
 && groupadd --gid 65532 query \
 && useradd -K UID_MAX=65532 --uid 65532 --gid 65532 --home-dir / --no-create-home \
      --shell /usr/sbin/nologin query
COPY --from=build /source/build/release/server/query-server /usr/local/bin/query-server

# No QUERY_AUTH here: who may come in is for the deployer to say, and until then it does not start.
ENV QUERY_LISTEN=0.0.0.0:8080
EXPOSE 8080
USER 65532:65532
WORKDIR /
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 \
  CMD ["query-server", "--healthcheck"]
ENTRYPOINT ["query-server"]

# Last, so that a new revision rebuilds no layer.
ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="query-server" \
      org.opencontainers.image.description="Send SQL, get JSON: PostgreSQL over HTTP" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="docker.io/library/debian:trixie-slim"
