# Each target works from a fresh clone, with Python 3.11 or later and nothing else.
PYTHON ?= python3
BIN := .venv/bin
# Tests at once: many of them wait for processes, so two more than a small machine has processors.
AT_ONCE ?= 4
# Many images set it: then each process, of which the tests start hundreds, would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test check postgres soak chaos bench docs lint clean

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16

run: .venv/run ## install what is needed into .venv and start the whole system on http://127.0.0.1:5000
	@exec $(BIN)/queue-tool up

test: .venv/test ## install the test tools too, and run all of the suite that this machine can
	@$(BIN)/python -m pytest -q -n $(AT_ONCE) --dist worksteal

check: ## run what CI runs: lint, all tests, those of worker and whole system on PostgreSQL, a minute of chaos
	@echo "== format, lint, types, imports" && $(MAKE) --no-print-directory lint
	@echo "== tests" && $(MAKE) --no-print-directory test
	@echo "== worker and whole system on PostgreSQL" && $(MAKE) --no-print-directory postgres
	@echo "== a minute of chaos" && $(MAKE) --no-print-directory chaos QUICK=1

postgres: .venv/test ## run the tests of worker and whole system once more, on PostgreSQL
	@$(BIN)/python -m pytest -q -n $(AT_ONCE) --dist worksteal --storage postgres tests/journeys tests/worker

soak: .venv/test ## run the tests that take minutes
	@$(BIN)/python -m pytest -q tests/soak/soak_*.py

chaos: .venv/test ## kill everything at random under load and audit every token (QUICK=1, SEED=n, PEERS=1: beside RQ, Celery)
	@QUICK=$(QUICK) SEED=$(SEED) PEERS=$(PEERS) $(BIN)/python -m tests.chaos

lint: .venv/lint ## check format, lint and types
	@$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/lint-imports

bench: .venv/test ## measure the speed beside RQ, Celery, dramatiq, huey and BullMQ (QUICK=1 is shorter)
	@$(BIN)/python -m bench $(if $(QUICK),--quick)

docs: .venv/test ## write the parts of the documentation that are made from the code
	@$(BIN)/python docs/made.py

clean: ## remove the environment and what tools have left behind
	@rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# pip before 25.1 knows no dependency groups, and Python 3.11 brings an older one.
.venv/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Queue Tool needs Python 3.11 or later: make PYTHON=/path/to/it")'
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	@touch $@

.venv/run: .venv/pip pyproject.toml
	@echo "Installing into .venv (once) ..."
	@$(BIN)/python -m pip install --quiet --editable .
	@touch $@

.venv/test: .venv/run
	@$(BIN)/python -m pip install --quiet --group test
	@touch $@

.venv/lint: .venv/test
	@$(BIN)/python -m pip install --quiet --group lint
	@touch $@
