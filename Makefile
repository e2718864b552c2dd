# Custody Ledger: everything a fresh clone needs is Python 3.11 or newer and make.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
NEW_ENOUGH := import sys, venv; sys.exit(sys.version_info < (3, 11))
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo serve test fuzz chaos contention failover bench check types style fmt openapi lock clean

help: ## say what can be done here
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  PYTHON=… chooses the interpreter, ARGS=… is passed on (make test ARGS='-k handover')"

demo: $(STAMP) ## seed a ledger, serve it and print what to try next
	@$(BIN)/custody demo $(ARGS)

serve: $(STAMP) ## serve the ledger that CUSTODY_DATABASE_URL names
	@$(BIN)/custody serve $(ARGS)

# A module's tests stay together, as they share what is costly to make. The suite starts some hundreds of processes, and
# each reads what one has compiled, also where the environment asks that nothing be written.
test: $(STAMP) ## run every test, on SQLite and on a real PostgreSQL from a wheel (ARGS='-n 0': in one process)
	@run=$$(mktemp -d) && trap 'rm -rf "$$run"' EXIT && XDG_RUNTIME_DIR=$$run PYTHONDONTWRITEBYTECODE= \
		$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadscope --no-loadscope-reorder $(ARGS)

fuzz: $(STAMP) ## ask made-up things of every operation (EXAMPLES=n each, ENGINE=sqlite|postgresql SEED=s)
	@run=$$(mktemp -d) && trap 'rm -rf "$$run"' EXIT && XDG_RUNTIME_DIR=$$run FUZZ_EXAMPLES=$(or $(EXAMPLES),100) \
		FUZZ_ENGINE=$(or $(ENGINE),postgresql) FUZZ_SEED=$(or $(SEED),$(shell date +%s)) \
		$(BIN)/python -m pytest -s tests/ledger/http/test_schemathesis.py $(ARGS)

chaos: $(STAMP) ## kill -9 API, worker, database under load; count what is lost (ENGINE=sqlite|postgresql ROUNDS=n SEED=s STATE=file)
	@run=$$(mktemp -d) && trap 'rm -rf "$$run"' EXIT && XDG_RUNTIME_DIR=$$run \
		$(BIN)/python -m tests.chaos --engine $(or $(ENGINE),sqlite) --rounds $(or $(ROUNDS),10) \
		$(if $(SEED),--seed $(SEED)) $(if $(STATE),--state $(STATE))

contention: $(STAMP) ## three API processes after the same places and persons, two readers, a pause (EVENTS=n PAUSE=seconds SEED=s)
	@run=$$(mktemp -d) && trap 'rm -rf "$$run"' EXIT && XDG_RUNTIME_DIR=$$run \
		$(BIN)/python -m tests.contention --events $(or $(EVENTS),50000) --pause $(or $(PAUSE),60) \
		$(if $(SEED),--seed $(SEED))

failover: $(STAMP) ## kill a PostgreSQL primary under load, promote its standby, and count what is lost (ROUNDS=n SEED=s)
	@run=$$(mktemp -d) && trap 'rm -rf "$$run"' EXIT && XDG_RUNTIME_DIR=$$run \
		$(BIN)/python -m tests.failover --rounds $(or $(ROUNDS),3) $(if $(SEED),--seed $(SEED))

bench: $(STAMP) ## measure beside the references in a quarter of an hour (QUICK=1: in three minutes), write bench/results.json
	@$(BIN)/python -W ignore -m bench

check: $(STAMP) ## lint, formatting, types, import contracts, tidy tests
	@$(MAKE) --no-print-directory --jobs=2 types style

# The two halves of `make check`, which run beside each other.
types: $(STAMP)
	$(BIN)/mypy --strict

style: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/tidy

fmt: $(STAMP) ## format and repair what the linter can repair
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

openapi: $(STAMP) ## record the document's examples and the document anew, and the page of problems
	$(BIN)/python -m tests.ledger.http.recording

# The lock files name no index and no host; what they pin is kept unless ARGS=--upgrade asks for newer.
LOCK = $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' $(ARGS)
lock: $(STAMP) ## write requirements.txt and requirements-dev.txt from pyproject.toml
	$(BIN)/python -m pip install --quiet uv==0.13.9
	$(LOCK) --extra postgres --output-file requirements.txt
	$(LOCK) --extra postgres --extra dev --constraints requirements.txt --output-file requirements-dev.txt

clean: ## remove what the other targets made
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# PYTHON wins where given; otherwise the first that is new enough.
$(STAMP): requirements-dev.txt pyproject.toml
	@for python in $(or $(PYTHON),python3 python3.13 python3.12 python3.11 python); do \
		$$python -c '$(NEW_ENOUGH)' 2>/dev/null && found=$$python && break; \
	done; \
	if [ -z "$$found" ]; then \
		echo "Custody Ledger needs Python 3.11 or newer with the module venv; tried: $(or $(PYTHON),python3 … python3.11)." >&2; \
		echo "Name one yourself: make PYTHON=/path/to/python3.12 …" >&2; exit 1; \
	fi; \
	echo "Setting up $(VENV) with $$found, which takes half a minute, once." >&2; \
	$$found -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
