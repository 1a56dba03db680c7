# Everything runs in .venv, made on first use from the pinned versions in requirements.lock.
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

.PHONY: help demo serve test check format mutants bench bench-full lock clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.venv/packages: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 …" >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

.venv/ready: .venv/packages pipeline/validation/bulk.c hatch_build.py
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: .venv/ready  ## sample logs, aggregation, service, the three answers
	$(BIN)/python -m service.demo $(DEMO)

serve: .venv/ready  ## keep the service running on the demo's data
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
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group bench
	@touch $@

# The tool that changes the code, and what it needs, is of no use elsewhere.
.venv/mutation-ready: .venv/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group mutation
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

lock:  ## pin the newest versions that pyproject.toml allows (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url \
	  --group dev --upgrade --quiet --output-file requirements.lock pyproject.toml

clean:  ## remove the environment and the demo's data
	rm -rf .venv $(DEMO)
