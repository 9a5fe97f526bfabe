# Switchyard. `make` alone explains itself; the text after ## is the help.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# What `switchyard version` prints: the nearest tag, or the commit.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

# Pinned, so that a new release of the linter never breaks an old commit.
GOLANGCI_VERSION := 2.15.0

TOOLS := $(CURDIR)/bin/tools

FUZZTIME ?= 10s
TEST_TIMEOUT ?= 10m

.PHONY: help
help: ## print this list
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / {printf "  %-14s %s\n", $$1, $$2} /^##@ / {printf "\n%s\n", substr($$0, 5)}' Makefile

##@ Use it

.PHONY: demo
demo: ## everything in one process, outside world simulated (ARGS=--once: one guided toggle, then exit)
	go run ./cmd/switchyard demo $(ARGS)

# Static, so that one file runs on any Linux host, whatever its libc. The
# version comes by -X; Go's own VCS stamp is off, as it fails the build where
# git doesn't trust the checkout's owner (containers).
.PHONY: build
build: ## build bin/switchyard: static, reproducible, with its version
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '-X main.version=$(VERSION)' -o bin/switchyard ./cmd/switchyard

# For hosts where hubs are to be switched by libusb (google/gousb) instead of the
# kernel's own usbfs, where Linux is older than 6.0. It is linked with C and so bound
# to this machine's libc, and needs libusb-1.0-0 where it runs.
.PHONY: build-libusb
build-libusb: ## the same, switching USB hubs by libusb: bin/switchyard-libusb (cgo, libusb-1.0-0-dev, pkg-config)
	CGO_ENABLED=1 go build -tags libusb -trimpath -buildvcs=false -ldflags '-X main.version=$(VERSION)' -o bin/switchyard-libusb ./cmd/switchyard

# What docker-compose.yml reads as files. One that is there is left alone: the
# volume of Redis knows it.
.PHONY: secrets
secrets: ## write the secrets of docker-compose.yml (deployments/compose/secrets), once
	@umask 077; cd deployments/compose/secrets; chmod 0700 .; \
	if [ -s redis-password ]; then echo 'secrets: redis-password is there already'; exit 0; fi; \
	od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >redis-password; chmod 0444 redis-password; \
	echo 'secrets: wrote deployments/compose/secrets/redis-password'

##@ Work on it

# Scripts, time-outs and ACLs are tested against the real Redis, each test
# binary starting its own on a free port; the race detector needs cgo and so a
# C compiler. Both are looked for before anything is installed. The package
# lists are refreshed only if the first try fails: a fresh container has none,
# a developer's machine needs no wait.
.PHONY: deps
deps: ## install what the tests need and isn't there (Debian, as root): redis-server, a C compiler, python3, systemd-analyze
	@command -v go >/dev/null || { echo "deps: no go command; install Go $$(awk '$$1 == "go" {print $$2}' go.mod) or newer, see https://go.dev/doc/install" >&2; exit 1; }; \
	missing=(); \
	if ! command -v redis-server >/dev/null; then \
		echo "deps: redis-server is missing (tests run their scripts on a real Redis of their own)"; missing+=(redis-server); fi; \
	read -r cc _ <<<"$$(go env CC)"; \
	if ! command -v "$$cc" >/dev/null; then \
		echo "deps: $$cc is missing (go test -race links C)"; missing+=(gcc libc6-dev); fi; \
	if ! command -v python3 >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "deps: python3 is missing (a client and a strategy of the tests are written in it; elsewhere they are passed over)"; missing+=(python3); fi; \
	if ! command -v systemd-analyze >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "deps: systemd-analyze is missing (it checks the units; elsewhere those checks are passed over)"; missing+=(systemd); fi; \
	if [ $${#missing[@]} = 0 ]; then exit 0; fi; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
		echo "deps: not root on a Debian system, so please install by hand: $${missing[*]}" >&2; exit 1; fi; \
	export DEBIAN_FRONTEND=noninteractive; \
	get() { apt-get install -y --no-install-recommends "$${missing[@]}"; }; \
	echo "deps: installing $${missing[*]} by apt-get"; \
	get || { apt-get update && get; }

.PHONY: test
test: deps ## run all tests with the race detector (TEST_TIMEOUT per package)
	CGO_ENABLED=1 go test -race -timeout $(TEST_TIMEOUT) ./...
	$(MAKE) test-deploy

# The checks are a module of their own, which keeps Docker's libraries out of
# the program's.
.PHONY: test-deploy
test-deploy: deps ## check docker-compose.yml, Dockerfile and systemd units, and run what they run
	cd deployments/checks && go vet ./... && go test -timeout $(TEST_TIMEOUT) ./...

# By programs that share no code with what they check: see api/openapi/check.mjs.
# npm ci installs what the lock file names, and only if it isn't there. Of the
# package that promtool is in, only that file is taken: installed, it would start
# a server.
.PHONY: test-api
test-api: deps ## the API's answers, document and metrics, and what Cloudflare and Telegram are asked, and the simulated exchanges, checked by others' programs (redocly, prism, promtool, ccxt)
	@missing=(); \
	for tool in node:nodejs npm:npm chromium:chromium; do command -v "$${tool%:*}" >/dev/null || missing+=("$${tool#*:}"); done; \
	/usr/bin/python3 -c 'import websockets' 2>/dev/null || missing+=(python3-websockets); \
	if [ $${#missing[@]} != 0 ]; then \
		if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
			echo "test-api: not root on a Debian system, so please install by hand: $${missing[*]}" >&2; exit 1; fi; \
		export DEBIAN_FRONTEND=noninteractive; \
		get() { apt-get install -y --no-install-recommends "$${missing[@]}"; }; \
		echo "test-api: installing $${missing[*]} by apt-get"; \
		get || { apt-get update && get; }; \
	fi
	@if ! command -v promtool >/dev/null && ! [ -x '$(TOOLS)/promtool' ]; then \
		command -v apt-get >/dev/null || { echo 'test-api: please install promtool by hand (it comes with Prometheus)' >&2; exit 1; }; \
		echo 'test-api: fetching promtool into bin/tools'; \
		dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; cd "$$dir"; chmod 755 .; \
		get() { apt-get -q download prometheus; }; \
		get || { apt-get update && get; }; \
		dpkg -x prometheus_*.deb .; install -D usr/bin/promtool '$(TOOLS)/promtool'; \
	fi
	@cd api/openapi; cmp -s package-lock.json node_modules/.installed || { npm ci && cp package-lock.json node_modules/.installed; }
	go build -o bin/switchyard-check ./cmd/switchyard
	PATH='$(TOOLS)':"$$PATH" node api/openapi/check.mjs bin/switchyard-check
	@cd sim/exchanges/ccxt; cmp -s package-lock.json node_modules/.installed || { npm ci --ignore-scripts && cp package-lock.json node_modules/.installed; }
	CCXT=1 go test -count=1 -run TestCCXT ./sim/exchanges/...
	@cd app/testdata/ws; cmp -s package-lock.json node_modules/.installed || { npm ci && cp package-lock.json node_modules/.installed; }
	CLIENTS=1 go test -count=1 -run 'TestStrategyClients|TestLiveClients' ./app
	PRISM='$(CURDIR)/api/openapi/node_modules/.bin/prism' go test -count=1 -run TestConformance ./cloudflare ./telegram

# The linter is taken from where this version of it already is; compiling it
# takes minutes. Otherwise it goes to bin/tools, which touches nothing else on
# the machine. The configuration is verified first: the linter itself passes
# over a misspelt setting in silence.
.PHONY: lint
lint: ## formatting, go vet, golangci-lint (.golangci.yml says why each linter)
	@unformatted=$$(gofmt -l .); \
	if [ -n "$$unformatted" ]; then echo "not formatted, run gofmt -w:" >&2; echo "$$unformatted" >&2; exit 1; fi
	go vet ./...
	@for tool in '$(TOOLS)/golangci-lint' golangci-lint "$$(go env GOPATH)/bin/golangci-lint"; do \
		if "$$tool" version 2>/dev/null | grep -qwF 'version $(GOLANGCI_VERSION)'; then found=$$tool; break; fi; \
	done; \
	if [ -z "$${found:-}" ]; then \
		echo 'lint: compiling golangci-lint $(GOLANGCI_VERSION) into bin/tools (once)'; \
		GOBIN='$(TOOLS)' go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v$(GOLANGCI_VERSION); \
		found='$(TOOLS)/golangci-lint'; \
	fi; \
	"$$found" config verify; \
	echo "$$found run"; "$$found" run ./...

# One after the other: go test fuzzes one target at a time.
.PHONY: fuzz
fuzz: ## fuzz each target for FUZZTIME (10s)
	@targets=$$(grep -rn --include='*_test.go' -oE '^func Fuzz[A-Za-z0-9_]+' . || true); \
	[ -n "$$targets" ] || echo 'fuzz: there are no targets'; \
	while IFS=: read -r file _ name; do \
		[ -n "$$file" ] || continue; \
		name=$${name#func }; echo "fuzz: $$name in $$(dirname "$$file") for $(FUZZTIME)"; \
		go test -run='^$$' -fuzz="^$$name\$$" -fuzztime=$(FUZZTIME) "$$(dirname "$$file")"; \
	done <<<"$$targets"

.PHONY: clean
clean: ## remove what make has built
	rm -rf bin

##@ Measure it: one line each (ours, the peer from the same run, the ratio), median of 5; exit 0 or 1

# Not part of the tests: they take long and want an idle machine. Variables
# given to make reach the program as its environment: make bench-idle HOSTS=500.
# The named ones have no recipe here, so that `bench-%` below is theirs too.
bench-accept: ## jobs accepted over HTTP, against the no-op handler and raw asynq
bench-start: ## from accepted to running, on an idle system
bench-idle: ## Redis commands and CPU of idle servers (HOSTS=500)
bench-backlog: ## working through a backlog, against raw asynq
bench-toggle: ## what a toggle takes beyond the modem's own time
bench-webhook: ## from a trading alert until the exchange is asked
bench-ws: ## 1000 WebSocket clients, five events a second, one stalled, against a bare hub
bench-backtest: ## BAA over 20 years of daily prices of 17 assets
bench-status: ## the status of 20 dongles, 3 of whose modems hang

bench-%: deps
	go run ./bench $*

##@ Try the hardware: a proxy host emulated by QEMU; exit 0 or 1

# Nothing is installed but QEMU, busybox and libusb; of the kernel's package only
# the files are taken, into bin/lab. Where that can't be had the lab is skipped,
# loudly: it is one more proof, and no developer's machine has to be Debian.
# LAB_KERNEL and LAB_MODULES name another kernel (6.0 or newer) and the folder of
# its modules.
LAB := $(CURDIR)/bin/lab

.PHONY: lab
lab: deps ## each repair of the ladder on a hub with three dongles (ARGS="-run unbound -keep")
	@skip() { printf '\n*** LAB SKIPPED: %s ***\n\n' "$$*"; exit 0; }; \
	[ "$$(uname -s) $$(uname -m)" = 'Linux x86_64' ] || skip "it is made for Linux on x86_64, this is $$(uname -s) on $$(uname -m)"; \
	missing=(); \
	command -v qemu-system-x86_64 >/dev/null || missing+=(qemu-system-x86); \
	{ command -v busybox >/dev/null && ! ldd "$$(command -v busybox)" >/dev/null 2>&1; } || missing+=(busybox-static); \
	pkg-config --exists libusb-1.0 2>/dev/null || missing+=(pkg-config libusb-1.0-0-dev); \
	if [ $${#missing[@]} != 0 ]; then \
		{ [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; } || skip "not root on a Debian system; to have it, install $${missing[*]} by hand"; \
		export DEBIAN_FRONTEND=noninteractive; \
		get() { apt-get install -y --no-install-recommends "$${missing[@]}"; }; \
		echo "lab: installing $${missing[*]} by apt-get"; \
		get || { apt-get update && get; } || skip "$${missing[*]} can't be installed"; \
	fi; \
	kernel='$(LAB_KERNEL)'; modules='$(LAB_MODULES)'; \
	if [ -z "$$kernel" ]; then \
		if ! [ -e '$(LAB)/complete' ]; then \
			command -v apt-cache >/dev/null || skip 'the kernel comes from a Debian mirror; set LAB_KERNEL and LAB_MODULES'; \
			rm -rf '$(LAB)'; mkdir -p '$(LAB)'; cd '$(LAB)'; \
			find_kernel() { package=$$(apt-cache depends linux-image-amd64 2>/dev/null | awk '$$1 == "Depends:" {print $$2}'); [ -n "$$package" ] && apt-get -q download "$$package"; }; \
			echo 'lab: fetching a kernel into bin/lab (once)'; \
			find_kernel || { apt-get update && find_kernel; } || skip 'no kernel (linux-image-amd64) can be downloaded'; \
			dpkg-deb --fsys-tarfile linux-image-*.deb | tar -x --wildcards './boot/vmlinuz-*' './lib/modules/*/modules.builtin' \
				'./lib/modules/*/kernel/'{block,crypto,lib,drivers/net,drivers/scsi,drivers/usb,drivers/virtio,net/core}'/*' \
				|| skip 'the kernel package has its files elsewhere; set LAB_KERNEL and LAB_MODULES'; \
			rm linux-image-*.deb; touch complete; cd '$(CURDIR)'; \
		fi; \
		kernel=$$(echo '$(LAB)'/boot/vmlinuz-*); modules=$$(echo '$(LAB)'/lib/modules/*); \
	fi; \
	go run ./lab -kernel "$$kernel" -modules "$$modules" -busybox "$$(command -v busybox)" $(ARGS)

##@ Break it: faults on purpose, counted in the simulator's ledger; exit 0 or 1

chaos-toggle: ## kill workers in the middle of toggles: accepted, finished, sent twice
chaos-modem: ## modems that hang, die, refuse and change in the middle of toggles: finished, left wrong
chaos-message: ## kill the worker in the middle of a burst of messages: lost, sent twice
chaos-trading: ## lose answers, kill workers and restart Redis in the middle of 2,000 orders at three exchanges: placed, refused, twice, late
chaos-sentinel: ## kill, hang and move the master of a Redis with Sentinels: accepted, refused, forgotten

chaos-%: deps
	go run ./chaos $*
