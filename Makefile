# Everything runs in .venv, made on first use from pinned versions: those of requirements-demo.lock for the demo, those of
# requirements.lock for all else.
PYTHON ?= python3
BIN := .venv/bin
DEMO := data/demo
# As many tests at once as there are cores; at least two, because some of them wait more than they compute.
TESTS_AT_ONCE = $(shell $(PYTHON) -c 'import os; print(max(2, os.cpu_count() or 2))')

# The tests write and delete many small files. In memory, where there is enough, none of them waits for a disk.
SCRATCH = $(shell $(PYTHON) -c 'import os; shm = os.statvfs("/dev/shm"); \
  available = int(open("/proc/meminfo").read().split("MemAvailable:")[1].split()[0]) * 1024; \
  print("/dev/shm" * (min(shm.f_bavail * shm.f_frsize, available) > 4 << 30))' 2> /dev/null)

# The processes that the tests start need not compile the project again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo serve test check format mutants bench bench-full dist lock clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# A newer pip finds packages three times as fast as the one that Python 3.11 brings. Modules are compiled when they are
# first imported: most never are.
PIP = $(BIN)/python -m pip --quiet --disable-pip-version-check install --no-compile
INSTALLED = echo "installed in $$(($$(date +%s) - began)) s; .venv has $$(du -sm .venv | cut -f1) MB"

.venv/demo-packages: requirements-demo.lock requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 …" >&2; exit 1; }
	@echo "installing what the demo needs into .venv, once: $$(grep -c == $<) packages, about 500 MB"
	@began=$$(date +%s) && $(PYTHON) -m venv --clear .venv && $(PIP) 'pip>=25.1' \
	  && $(PIP) --require-hashes -r $< && $(INSTALLED)
	@touch $@

.venv/packages: requirements.lock .venv/demo-packages
	@echo "installing the tools for tests and checks into .venv, once: $$(grep -c == $<) packages, about 2 GB"
	@began=$$(date +%s) && $(PIP) --require-hashes -r $< && $(INSTALLED)
	@touch $@

EDITABLE = $(PIP) --no-deps --no-build-isolation --editable .
SOURCES = pyproject.toml hatch_build.py pipeline/validation/bulk.c

.venv/demo-ready: .venv/demo-packages $(SOURCES)
	$(EDITABLE)
	@touch $@

# Once more, because where the machine has no C compiler, one of the tools is.
.venv/ready: .venv/packages $(SOURCES)
	$(EDITABLE)
	@touch .venv/demo-ready $@

demo: .venv/demo-ready  ## sample logs, aggregation, service, the three answers
	$(BIN)/python -m service.demo $(DEMO)

serve: .venv/demo-ready  ## keep the service running on the demo's data
	@test -f $(DEMO)/published.json || { echo "nothing to serve yet: run 'make demo' first" >&2; exit 1; }
	USAGE_DATA_DIR=$(DEMO) $(BIN)/usage serve

test: .venv/ready  ## all tests
	@TMPDIR=$${TMPDIR:-$(SCRATCH)}; TMPDIR=$$(mktemp -d "$${TMPDIR:-/tmp}/tests-XXXXXX") && export TMPDIR && \
	$(BIN)/python -m pytest --numprocesses $(TESTS_AT_ONCE) --dist worksteal --durations 10 -rs && { rm -rf "$$TMPDIR" || true; }

check: .venv/ready  ## lint and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/ready  ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# What the comparison needs besides: engines and charts, in their newest versions, which its page names.
.venv/bench-ready: .venv/ready
	$(PIP) --group bench
	@touch $@

# The tool that changes the code, and what it needs, is of no use elsewhere.
.venv/mutation-ready: .venv/ready
	$(PIP) --group mutation
	@touch $@

MODULES ?=
mutants: .venv/mutation-ready  ## change the code where it must not be wrong, see tests fail (MODULES: some files)
	$(BIN)/python -m tests.faults.mutants $(MODULES)

EVENTS ?= 200000
RESULTS := benchmarks/results
bench: .venv/bench-ready  ## compare with other engines, small: docs/benchmarks.md in some minutes (EVENTS: other sizes)
	$(BIN)/python -m benchmarks.comparison $(RESULTS)/comparison.json --events $(EVENTS)
	$(BIN)/python -m benchmarks.report $(RESULTS)/comparison.json docs/benchmarks.md $(RESULTS)/before.json

bench-full: .venv/bench-ready  ## the same with 200,000, 2 and 10 million events: hours, and some 80 GB meanwhile
	$(BIN)/python -m benchmarks.comparison $(RESULTS)/comparison.json --seconds 5 --workspaces 200 \
	  --events 200000 2000000 10000000
	$(BIN)/python -m benchmarks.report $(RESULTS)/comparison.json docs/benchmarks.md $(RESULTS)/before.json

dist: .venv/ready  ## what a release has: sdist, a wheel for each platform, one for all others, pinned versions
	$(BIN)/python release.py dist
	@du -k dist/*

UPGRADE ?=
LOCK = uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --quiet
lock:  ## pin what pyproject.toml requires, as before where that still fits (UPGRADE=--upgrade: the newest; needs uv)
	$(LOCK) --group dev $(UPGRADE) --output-file requirements.lock pyproject.toml
	$(LOCK) --group demo --constraint requirements.lock --output-file requirements-demo.lock pyproject.toml

clean:  ## remove the environment, the demo's data and what dist wrote
	rm -rf .venv $(DEMO) dist
