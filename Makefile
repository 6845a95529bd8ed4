# Each target works in a fresh clone and needs only Python 3.11 or later.
PYTHON ?= python3
BIN := .venv/bin
# Parallel test processes. Many tests wait for other processes, so 6 is good even on a machine with 2 cores.
AT_ONCE ?= 6
# Many container images set this. Then each of the hundreds of processes of the tests would compile all its imports.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test check postgres containers soak chaos bench build docs pictures lint clean

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

run: .venv/run ## install the dependencies into .venv and start the whole system on http://127.0.0.1:5000
	@exec $(BIN)/queue-tool up

test: .venv/test ## install the test tools, and run all tests that this machine supports
	@$(BIN)/python -m pytest -q -n $(AT_ONCE) --dist worksteal

# Two at a time, so that no core is idle: chaos, which often waits, beside lint, which never does; then two test sessions.
check: .venv/lint ## run what CI runs: lint, all tests, the tests on PostgreSQL, the containers, one minute of chaos
	@echo "== format, lint, types, imports; one minute of chaos; tests; worker and system tests on PostgreSQL; containers"
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target IN_ORDER=1 chaos lint test postgres containers

# All tests wait for chaos, whose processes must come back in time. Nothing begins after a failure.
ifdef IN_ORDER
chaos: QUICK := 1
lint: | .compiled
postgres: | lint
test: | chaos
containers: | postgres test
endif

# In a fresh clone, each of the parallel test processes would compile all tests. It only saves time, so it never fails.
.PHONY: .compiled
.compiled: .venv/test
	@$(BIN)/python -m pytest -q --collect-only >/dev/null 2>&1 || true

postgres: .venv/test ## run the worker and system tests that depend on the database again, on PostgreSQL
	@TEST_PORTS=10 $(BIN)/python -m pytest -q -n 3 --dist worksteal --storage postgres tests/journeys tests/worker

containers: .venv/test ## build the image and run compose.yaml in sandboxes, without a container engine
	@$(BIN)/python -m deploy.check

soak: .venv/test ## run the tests that take minutes
	@$(BIN)/python -m pytest -q tests/soak/soak_*.py

chaos: .venv/test ## kill processes at random under load and check every token (QUICK=1, SEED=n, PEERS=1: also RQ and Celery)
	@QUICK=$(QUICK) SEED=$(SEED) PEERS=$(PEERS) $(BIN)/python -m tests.chaos

lint: .venv/lint ## check format, lint, types, Dockerfile and compose.yaml
	@$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/lint-imports
	@$(BIN)/hadolint Dockerfile && $(BIN)/check-jsonschema --builtin-schema vendor.compose-spec compose.yaml

bench: .venv/test ## compare the speed with RQ, Celery, dramatiq, huey and BullMQ (QUICK=1: shorter)
	@$(BIN)/python -m bench $(if $(QUICK),--quick)

docs: .venv/test ## update the parts of the documentation that are generated from the code
	@$(BIN)/python docs/made.py

pictures: .venv/test ## take pictures of every page, light and dark, wide and narrow, into build/pictures/
	@$(BIN)/python -m tests.browser.pictures

build: .venv/build ## build the wheel and the sdist into dist/
	@$(BIN)/python -c 'from poetry.core.masonry.api import build_wheel as wheel, build_sdist as sdist; [print("dist", make("dist"), sep="/") for make in (wheel, sdist)]'

clean: ## remove the environment, the caches of the tools and dist/
	@rm -rf .venv dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# What poetry.lock says, for pip: a new release of a dependency changes nothing here.
LOCKED := --constraint .venv/constraints.txt --build-constraint .venv/constraints.txt

# pip before 25.3 does not support constraints for builds, and Python 3.11 includes an older pip.
.venv/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Queue Tool needs Python 3.11 or later: make PYTHON=/path/to/it")'
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.3'
	@touch $@

.venv/constraints.txt: .venv/pip poetry.lock
	@$(BIN)/python -c 'import tomllib; [print(p["name"], p["version"], sep="==") for p in tomllib.load(open("poetry.lock", "rb"))["package"]]' > $@

.venv/run: .venv/constraints.txt pyproject.toml
	@echo "Installing into .venv (once) ..."
	@$(BIN)/python -m pip install --quiet $(LOCKED) --editable .
	@touch $@

# The build backend of pyproject.toml: its two functions are all that a build needs.
.venv/build: .venv/constraints.txt
	@$(BIN)/python -m pip install --quiet $(LOCKED) poetry-core
	@touch $@

# One command for all groups: each run of pip takes seconds.
.venv/test: .venv/constraints.txt pyproject.toml
	@$(BIN)/python -m pip install --quiet $(LOCKED) --editable . --group test
	@touch .venv/run $@

.venv/lint: .venv/constraints.txt pyproject.toml
	@$(BIN)/python -m pip install --quiet $(LOCKED) --editable . --group test --group lint
	@touch .venv/run .venv/test $@
