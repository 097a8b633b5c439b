# Fleetlens. `make` lists what there is.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO ?= go
LINT := $(GO) tool -modfile=tools.mod golangci-lint
FUZZTIME ?= 20s
# Packages that are tested at a time: with more than there are cores, tests that run real processes are late.
AT_ONCE ?= 2

# Tests that miss something of the machine say so in this file; in CI they fail.
MISSING := $(CURDIR)/.missing

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

.PHONY: run
run: ## Look at this host: NATS, probe, operator and coordinator in one process
	$(GO) run ./cmd/fleetlens investigate --local "is this host healthy?"

.PHONY: build
build: ## Build the programs into bin/
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/ ./cmd/...

# The browser tests take longest; begun first, they do not run alone at the end.
.PHONY: test
test: ## Run every test, with the race detector; says at its end what it could not run
	@rm -f $(MISSING); status=0; \
	FLEETLENS_MISSING=$(MISSING) $(GO) test -race -shuffle=on -p $(AT_ONCE) -timeout 9m ./test/ui ./... || status=$$?; \
	$(GO) test -count=1 -run TestHostileScriptsAreContained ./pkg/luasandbox || status=$$?; \
	if [ -s $(MISSING) ]; then echo; echo "Could not be run on this machine:"; sort -u $(MISSING); \
	else echo; echo "Nothing was left out."; fi; rm -f $(MISSING); exit $$status

.PHONY: check
check: ## What a change must pass: format, vet, lint, generated files, tests
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "run gofmt -w on these"; exit 1; }
	$(GO) vet ./...
	$(LINT) run ./...
	$(GO) mod tidy -diff
	$(MAKE) test

.PHONY: lint
lint: ## Run the linters
	$(LINT) run ./...

.PHONY: vuln
vuln: ## Look for known vulnerabilities; needs the network
	$(GO) tool -modfile=tools.mod govulncheck ./...

.PHONY: e2e
e2e: ## Run the end-to-end tests alone, with real processes
	$(GO) test -race -count=1 -v ./test/e2e/...

.PHONY: chaos
chaos: ## Kill, freeze and cut off everything under 300 investigations; then on a cluster
	$(GO) run ./test/chaos --investigations 300
	$(GO) run ./test/chaos --investigations 100 --cluster

.PHONY: fuzz
fuzz: ## Fuzz every parser for FUZZTIME each (20s)
	@for pkg in $$($(GO) list ./...); do for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	echo "$$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$pkg; done; done

.PHONY: bench
bench: ## Run the benchmarks: one JSON line each
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && ! command -v prometheus-node-exporter >/dev/null; then \
	apt-get install -qq -y prometheus-node-exporter >/dev/null 2>&1 || { apt-get update -qq && apt-get install -qq -y prometheus-node-exporter >/dev/null; } || true; fi
	@for b in probe e2e ingest scale loop tokens ask lua; do $(GO) run ./test/bench $$b; done

.PHONY: gen
gen: ## Write the generated documentation, server configurations and manifests again
	$(GO) run ./internal/docgen/gen
	$(GO) test ./internal/bus -run ServerFiles -update
	$(GO) test ./test/deploy -run TheManifests -update

VERSION ?= 0.1.0
ARCH ?= $(shell $(GO) env GOARCH)
PACKAGES ?= bin/packages
# A folder of programs for this machine's ARCH that are built already; empty: they are built.
PROGRAMS ?=
# The same source makes the same packages.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)

.PHONY: packages
packages: ## Build the deb and rpm packages of VERSION for ARCH into bin/packages
	@tree=$$(mktemp -d); trap 'rm -rf "$$tree"' EXIT; mkdir -p $(PACKAGES) $$tree/completion; \
	export SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) VERSION=$(VERSION) PACKAGE_ARCH=$(ARCH) PACKAGE_TREE=$$tree; \
	if [ -n "$(PROGRAMS)" ]; then cp -r $(PROGRAMS) $$tree/bin; fleetlens=$(PROGRAMS)/fleetlens; \
	else CGO_ENABLED=0 GOARCH=$(ARCH) $(GO) build -trimpath -ldflags "-s -w" -o $$tree/bin/ ./cmd/...; fleetlens="$(GO) run ./cmd/fleetlens"; fi; \
	$$fleetlens man $$tree/man; gzip -9n $$tree/man/*.1; \
	$$fleetlens completion bash > $$tree/completion/fleetlens.bash; \
	$$fleetlens completion fish > $$tree/completion/fleetlens.fish; \
	$$fleetlens completion zsh > $$tree/completion/_fleetlens; \
	for name in fleetlens-probe fleetlens; do for kind in deb rpm; do \
	$(GO) tool -modfile=deploy/packages.mod nfpm package --config deploy/packages/$$name.yaml --packager $$kind --target $(PACKAGES)/; done; done

.PHONY: ui
ui: ## Bundle the web UI into internal/web/dist; needs Node
	cd internal/web/ui && npm ci --silent && npm run --silent types
	$(GO) run ./internal/web/bundle

.PHONY: screenshots
screenshots: ## Take pictures of the web UI into docs/screenshots; needs Node and Chromium
	FLEETLENS_SCREENSHOTS=$(CURDIR)/docs/screenshots $(GO) test -count=1 -timeout 4m ./test/ui -run TestScreenshots
