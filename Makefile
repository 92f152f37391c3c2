# make run and make test do everything from a fresh Debian 12 or 13 on; make help lists the rest.

PORT ?= 8080
ARGS ?=
PRESET ?= release

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

VENV := build/venv
JOBS := $(shell nproc)

BUILD_PACKAGES := g++ cmake ninja-build pkg-config libpq-dev libcpp-httplib-dev libssl-dev \
  libcli11-dev nlohmann-json3-dev postgresql
BENCH_PACKAGES := curl python3 $(if $(PEERS),python3-venv python3-dev)
# kubectl renders the manifests; where a vendor's is installed, Debian's would clash with it.
TEST_PACKAGES := catch2 curl python3-dev python3-venv \
  $(if $(shell command -v kubectl),,kubernetes-client)
LINT_PACKAGES := clang-format clang-tidy pybind11-dev shellcheck

# Installs what of $(1) is missing, and asks for nothing when all is there.
define install
@missing=(); for package in $(1); do \
  dpkg-query -Wf '$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing+=($$package); \
done; \
if [ $${#missing[@]} = 0 ]; then exit; fi; \
if ! command -v apt-get >/dev/null; then \
  echo "no apt-get here: going on without having looked for $${missing[*]}" >&2; exit; \
fi; \
sudo=(); [ $$(id -u) = 0 ] || sudo=(sudo); \
echo "installing $${missing[*]}"; \
$${sudo[@]} apt-get update -qq; \
$${sudo[@]} env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
  -o DPkg::Lock::Timeout=300 "$${missing[@]}" </dev/null >/dev/null
endef

.PHONY: help
help: ## Say what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.PHONY: run
run: build ## Build, and start the server (PORT=8080, ARGS='--database ...')
	@exec build/release/server/query-server --listen 127.0.0.1:$(PORT) $(ARGS)

.PHONY: build
build: packages ## Build build/release/server/query-server
	@cmake --preset release -DQUERY_BUILD_TESTS=OFF >/dev/null
	@cmake --build --preset release --parallel $(JOBS)

.PHONY: test
test: packages test-packages ## Build, and run every test (PRESET=release|dev|shared|asan|tsan)
	@cmake --preset $(PRESET) >/dev/null
	@cmake --build --preset $(PRESET) --parallel $(JOBS)
	ctest --preset $(PRESET)

.PHONY: asan
asan: ## Run the tests under the address and undefined behaviour sanitizers
	@$(MAKE) --no-print-directory test PRESET=asan

.PHONY: tsan
tsan: ## Run the tests under the thread sanitizer
	@$(MAKE) --no-print-directory test PRESET=tsan

.PHONY: shared
shared: ## Run the tests with libquery as a shared library
	@$(MAKE) --no-print-directory test PRESET=shared

.PHONY: bench
bench: bench-programs ## Measure, in ratios (PEERS=1: beside peers too; ROUNDS=5)
	@python3 tests/bench/bench.py build/release --json build/bench.json \
	  --rounds $(or $(ROUNDS),5) $(if $(PEERS),--peers)

.PHONY: soak
soak: bench-programs ## Check every answer at full load while backends are killed (SECONDS=600)
	@python3 tests/bench/soak.py build/release --seconds $(or $(SECONDS),600)

.PHONY: bench-programs
bench-programs: packages
	$(call install,$(BENCH_PACKAGES))
	@cmake --preset release -DQUERY_BUILD_TESTS=OFF -DQUERY_BUILD_BENCH=ON >/dev/null
	@cmake --build --preset release --parallel $(JOBS)

.PHONY: fuzz
fuzz: ## Fuzz the SQL lexer (SECONDS=60)
	$(call install,clang libclang-rt-dev)
	@mkdir -p build/fuzz/corpus
	clang++ -std=c++20 -O1 -g -fsanitize=fuzzer,address,undefined -Ilibquery/src \
	  tests/fuzz/sql_lexer_fuzz.cpp libquery/src/sql_lexer.cpp libquery/src/statement_text.cpp \
	  -o build/fuzz/sql_lexer
	build/fuzz/sql_lexer -max_total_time=$(or $(SECONDS),60) -print_final_stats=1 build/fuzz/corpus

.PHONY: lint
lint: packages test-packages lint-packages ## Check the form of everything
	@JOBS=$(JOBS) .ci/lint

.PHONY: format
format: test-packages lint-packages ## Give the C++ and Python sources their form
	@git ls-files '*.cpp' '*.hpp' | xargs clang-format -i
	@tests/venv.sh $(VENV)
	@$(VENV)/bin/ruff check --fix --quiet .; $(VENV)/bin/ruff format --quiet .

.PHONY: image
image: ## Build the image and query it; ends with 77 where Docker cannot run
	tests/image/image_test.sh

.PHONY: manifests
manifests: build test-packages ## Render and check the Kubernetes manifests
	@tests/venv.sh $(VENV)
	QUERY_SERVER=$(CURDIR)/build/release/server/query-server \
	  $(VENV)/bin/python -P -m pytest -q -p no:cacheprovider tests/kubernetes

.PHONY: clean
clean: ## Remove what was built
	rm -rf build

.PHONY: packages test-packages lint-packages
packages:
	$(call install,$(BUILD_PACKAGES))
test-packages:
	$(call install,$(TEST_PACKAGES))
lint-packages:
	$(call install,$(LINT_PACKAGES))
