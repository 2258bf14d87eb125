# What to type. Everything runs from .venv, which the first command makes; Python 3.11 with venv is all it needs.
.DEFAULT_GOAL := help
.PHONY: help run configs check-configs regions plan talk logs test check faults feel chaos scaling failover image-steps soak dashboards setup chromium prometheus nginx region-tools wss wheel ports recovery lock

# python3.11 is what requirements.lock was made for; a newer python3 serves where there is none.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input -qq

# The official JavaScript clients, for the tests: pinned in CLIENTS, run by the node of requirements.lock.
CLIENTS := tests/clients
CLIENTS_INSTALLED := $(CLIENTS)/node_modules/installed
CLIENTS_BUILT := $(CLIENTS)/built/stamp
NPM := cd $(CLIENTS) && PATH="$(CURDIR)/$(BIN):$$PATH" npm --loglevel=error
CHROMIUM := /usr/bin/chromium
PROMETHEUS := $(VENV)/prometheus
NGINX := $(VENV)/nginx
REGION_TOOLS := $(VENV)/region-tools

help:
	@echo 'make run                 start the server: PostgreSQL, Ray Serve, the talk page. Ctrl-C stops it'
	@echo 'make run REGION=sa-east-1 the same with the config of a region, on this machine'
	@echo 'make configs             make configs/*.yaml from configs/base.yaml and configs/overlays, and check them'
	@echo 'make check-configs       say all that is wrong with configs/*.yaml'
	@echo 'make regions             start the config of each region on this machine, and call it'
	@echo 'make plan REGION=sa-east-1   a day of that region in a simulator: replicas, nodes, refused calls, costs: docs/planning.md'
	@echo 'make talk WAV=file.wav   speak a WAV to the running server; print and keep what it answers'
	@echo 'make logs                follow the log of the running server, for people'
	@echo 'make test                all tests'
	@echo 'make check               style, types, import rules'
	@echo 'make faults              what callers hear when providers fail, measured anew: docs/faults.md'
	@echo 'make feel                how turn-taking feels, measured anew on scripted dialogues: docs/feel.md'
	@echo 'make chaos               what callers notice when parts of the server die, measured anew: docs/chaos.md'
	@echo 'make scaling             a region that scales and is updated under calls, measured anew: docs/scaling.md'
	@echo 'make failover            what callers notice when a region is lost, measured anew: docs/global.md'
	@echo 'make soak MINUTES=30      load the server for so long with callers who hang up as they like; see what it keeps'
	@echo 'make image-steps         the steps of the Dockerfile without Docker, and a server in pods of it: docs/kubernetes.md'
	@echo 'make wheel               what the nodes of a region install, into dist/: docs/regions.md'
	@echo 'make ports               which ports the nodes of a region listen on, and who reaches them: docs/regions.md'
	@echo 'make recovery            what callers notice when the head of a region dies, measured anew: docs/regions.md'
	@echo 'make wss                 long calls over TLS, with limits on time that let them be, and others: docs/loadbalancer.md'
	@echo 'make dashboards          what Prometheus and the dashboards show of three minutes of calls: docs/dashboards.png'
	@echo 'make lock                choose the versions in the lock files anew'

# One of the environment only names the region in logs and metrics.
run: setup
	@$(BIN)/python -m serve_app.launch $(if $(findstring command,$(origin REGION)),--region '$(REGION)')

configs: setup
	@$(BIN)/python -m serve_app.serve_config make
	@$(BIN)/python -m serve_app.serve_config check

check-configs: setup
	@$(BIN)/python -m serve_app.serve_config check

regions: setup
	@$(BIN)/python -m tests.serve_config.start_each

plan: setup
	@test -n '$(REGION)' || { echo 'Which region? make plan REGION=sa-east-1'; exit 2; }
	@$(BIN)/python -m serve_app.planning '$(REGION)' $(if $(DAY),--day '$(DAY)')

talk: setup
	@test -n '$(WAV)' || { echo 'Which recording? make talk WAV=file.wav'; exit 2; }
	@$(BIN)/python -m serve_app.talk '$(WAV)' --url ws://127.0.0.1:$(or $(PORT),8000)

logs: setup
	@tail -q -n 20 -F $(or $(DATA_DIR),.data)/run/session_latest/logs/serve/replica_*.log | $(BIN)/python -m serve_app.observability.readable

# They wait for real servers, sound and browsers, and look at the time: beside others they would be late.
ALONE = tests/acceptance tests/faults tests/feel tests/web tests/test_talk.py

test: setup $(CLIENTS_BUILT) chromium prometheus nginx
	@$(BIN)/python -m pytest $(addprefix --ignore=,$(ALONE)) --numprocesses 2 --dist loadfile
	@$(BIN)/python -m pytest $(ALONE)

check: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

faults: setup
	@$(BIN)/python -m tests.faults

feel: setup
	@$(BIN)/python -m tests.feel

chaos: setup
	@$(BIN)/python -m tests.chaos

scaling: setup
	@$(BIN)/python -m tests.regions.scaling

failover: setup
	@$(BIN)/python -m tests.regions.failover

soak: setup
	@$(BIN)/python -m tests.soak --minutes $(or $(MINUTES),30)

wss: setup $(CLIENTS_BUILT) nginx
	@$(BIN)/python -m tests.loadbalancer

wheel: setup
	@rm -rf dist
	@$(PIP) wheel --no-deps --no-build-isolation --wheel-dir dist .
	@cp requirements.lock smart-turn.lock dist/

ports: setup region-tools
	@$(BIN)/python -m tests.cluster.ports

recovery: setup region-tools
	@$(BIN)/python -m tests.cluster.recovery

dashboards: setup chromium prometheus
	@$(BIN)/python -m tests.observability.dashboards

image-steps: setup
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && $(BIN)/python -m tests.kubernetes.image_steps "$$folder"

setup: $(INSTALLED)

$(INSTALLED): requirements.lock smart-turn.lock pyproject.toml
	@test -n '$(PYTHON)' || { echo 'Python 3.11 is missing: install it, or name it: make PYTHON=/path/to/python3.11'; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { \
		echo '$(PYTHON) is not Python 3.11, 3.12 or 3.13. Name one that is: make PYTHON=/path/to/python3.11'; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
		echo '$(PYTHON) has no venv module. On Debian: apt-get install python3-venv'; exit 1; }
	@echo 'Installing the packages of requirements.lock into $(VENV): a minute or two, once'
	@test -x $(BIN)/pip || $(PYTHON) -m venv --clear $(VENV)
	@$(PIP) install --no-warn-conflicts --require-hashes -r requirements.lock
	@$(PIP) install --require-hashes --no-deps -r smart-turn.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(CLIENTS_INSTALLED): $(INSTALLED) $(CLIENTS)/package-lock.json $(CLIENTS)/package.json $(CLIENTS)/.npmrc
	@echo 'Installing the official JavaScript clients into $(CLIENTS): seconds, once'
	@$(NPM) ci >/dev/null
	@touch $@

$(CLIENTS_BUILT): $(CLIENTS_INSTALLED) $(wildcard $(CLIENTS)/*.js $(CLIENTS)/*.jsx)
	@$(NPM) run --silent build
	@touch $@

chromium:
	@test -x $(CHROMIUM) || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
		echo 'Installing Chromium, for the tests of web clients' && { apt-get -qq update; \
		DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends chromium >/dev/null; }; } || \
		echo 'No $(CHROMIUM): what needs a browser is skipped. On Debian, as root: apt-get install chromium'

# Debian's package is unpacked, not installed: that would start a service. Only its two programs are needed.
prometheus:
	@test -x $(PROMETHEUS)/usr/bin/promtool || command -v promtool >/dev/null || { command -v apt-get >/dev/null && \
		echo 'Getting Prometheus, for the tests of alerts' && folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
		cd "$$folder" && { apt-get -qq download prometheus 2>/dev/null || \
		{ apt-get -qq update && apt-get -qq download prometheus 2>/dev/null; }; } && \
		dpkg -x prometheus_*.deb '$(CURDIR)/$(PROMETHEUS)'; } || \
		echo 'No promtool: the tests of alerts are skipped. On Debian: apt-get install prometheus'

nginx:
	@test -x $(NGINX)/usr/sbin/nginx || command -v nginx >/dev/null || test -x /usr/sbin/nginx || { \
		command -v apt-get >/dev/null && \
		echo 'Getting nginx, for the tests of TLS' && folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
		cd "$$folder" && { apt-get -qq download nginx 2>/dev/null || \
		{ apt-get -qq update && apt-get -qq download nginx 2>/dev/null; }; } && \
		dpkg -x nginx_*.deb '$(CURDIR)/$(NGINX)'; } || \
		echo 'No nginx: the tests of TLS are skipped. On Debian: apt-get install nginx'

region-tools:
	@test -d $(REGION_TOOLS) || { command -v nft && command -v redis-server; } >/dev/null || { \
		command -v apt-get >/dev/null && echo 'Getting nftables and Redis, for a region on this machine' && \
		folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && cd "$$folder" && \
		parts='nftables libnftables1 libnftnl11 libjansson4 redis-server redis-tools libatomic1 libjemalloc2 liblzf1' && \
		{ apt-get -qq download $$parts 2>/dev/null || \
		{ apt-get -qq update && apt-get -qq download $$parts 2>/dev/null; }; } && \
		for part in *.deb; do dpkg -x "$$part" '$(CURDIR)/$(REGION_TOOLS)'; done; } || \
		echo 'No nft, or no redis-server. On Debian: apt-get install nftables redis-server'

# uv resolves for every platform's wheels in one go. No index is written down: a mirror's name would land in the file.
# Of the wheel that holds smart-turn only the model is used, not the code, whose 400 MB of packages stay away: it has a
# lock of its own, and pip is told above not to warn of what is missing.
COMPILE = "$$folder/bin/uv" pip compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links \
	--no-header --python-version 3.11

lock:
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
	$(PYTHON) -m venv "$$folder" && "$$folder/bin/pip" install --disable-pip-version-check --quiet uv && \
	$(COMPILE) pyproject.toml --extra voice --extra piper --extra plan --extra dev -o requirements.lock && \
	sed -n 's/^smart-turn = \["\(.*\)"\].*/\1/p' pyproject.toml | $(COMPILE) - --no-deps --no-annotate -o smart-turn.lock
	@! grep -n '://' requirements.lock smart-turn.lock
