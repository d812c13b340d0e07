# Each target sets up .venv by itself; the only thing needed is Python 3.11 or newer (and the network, once).
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo up check test sim faults lint format mission lock clean

VENV   := .venv
BIN    := $(VENV)/bin
# Twice quiet: errors only.
PIP    := $(BIN)/python -m pip -qq --disable-pip-version-check
# Test files run side by side; `make test JOBS=0` runs them one after the other.
JOBS   ?= 2
PYTEST := $(BIN)/python -m pytest --quiet --numprocesses $(JOBS) --dist loadfile

help: ## print these targets
	@sed -n 's/^\([a-z][a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-16s %s\n", $$1, $$2 }'

demo: $(VENV)/.runtime ## show what Penstock does, in about a minute, with proof
	@$(BIN)/python -m examples.demo

up: $(VENV)/.runtime ## start engine and API on http://127.0.0.1:8090
	@$(BIN)/penstock up

check: lint ## format, lint, types, layers and the fast tests; under a minute, needs no service
	$(PYTEST) -m "not slow and not server"

test: lint ## everything: what check does, and every other test
	$(PYTEST)

SEEDS ?= 100
sim: $(VENV)/.runtime ## simulate engines among faults: SEED=n tells of one seed, SEEDS=n runs that many
	@$(BIN)/python -m penstock.testing $(if $(SEED),--seed $(SEED),--seeds $(SEEDS)) \
		$(if $(WITHOUT),--without $(WITHOUT)) $(if $(WITH),--with $(WITH)) $(if $(REDUCE),--reduce)

TIMES ?= 1
faults: $(VENV)/.dev ## kill, freeze and cut off real nodes over one PostgreSQL; TIMES=20 for as many seeds
	@for seed in $$(seq $(TIMES)); do echo "seed $$seed" && PENSTOCK_FAULTS_SEED=$$seed \
	  $(BIN)/python -m pytest --quiet --capture=tee-sys tests/faults || exit 1; done

lint: $(VENV)/.dev ## format, lint, types and layers, without any test
	$(BIN)/ruff format --check --quiet
	$(BIN)/ruff check --quiet
	$(BIN)/lint-imports --no-cache
	$(BIN)/pyright --project .

format: $(VENV)/.dev ## rewrite the code in the project's format, and fix what ruff can fix
	$(BIN)/ruff check --fix --quiet || true
	$(BIN)/ruff format

mission: $(VENV)/.dev ## print the mission table: every promised feature, and whether a test shows it
	@$(BIN)/python scripts/mission.py

bench: $(VENV)/.dev bench/.venv/.peers ## measure Penstock beside its peers and by size, in 20 minutes; BENCH=--full for longer
	@$(BIN)/python -m bench $(BENCH)

bench-size: $(VENV)/.dev ## measure Penstock with up to a million parked runs, in half an hour
	@$(BIN)/python -m bench --works W8a,W8b,W8c,W8d --subjects penstock,penstock-pg --rounds 1 --full --large \
		--name results-size $(BENCH)

lock: ## write requirements/*.txt anew from pyproject.toml (needs the network)
	scripts/lock.sh

clean: ## remove .venv and every cache
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist src/*.egg-info

# A stamp is newer than what it was made from; with it in place nothing is installed and no network is touched.
$(VENV)/.python:
	@scripts/venv.sh $(VENV)
	@touch $@

$(VENV)/.runtime: $(VENV)/.python requirements/runtime.txt requirements/build.txt pyproject.toml
	@echo "installing what Penstock needs into $(VENV) ..." >&2
	@$(PIP) install --require-hashes --requirement requirements/build.txt
	@$(PIP) install --require-hashes --requirement requirements/runtime.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements/dev.txt
	@echo "installing what its tests need into $(VENV) ..." >&2
	@$(PIP) install --require-hashes --requirement requirements/dev.txt
	@touch $@

# What Penstock is measured beside has an environment of its own. Without it `python -m bench` says what it left out.
bench/.venv/.peers: requirements/bench.txt
	@scripts/venv.sh bench/.venv
	@echo "installing what it is measured beside into bench/.venv ..." >&2
	@bench/.venv/bin/python -m pip -qq --disable-pip-version-check install --require-hashes --requirement $<
	@touch $@
