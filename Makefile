# make demo: the walkthrough, from nothing. make test: every test this machine can run. Both install what is missing first.
VENV := .venv/bin
DEMO_STATE ?= $(CURDIR)/build/demo
# a file's tests stay together: they share regions and namespaces. In the order of tests/conftest.py; five at a time on two cores, as most of them wait
PARALLEL := -n 5 --dist loadfile --no-loadscope-reorder
UNIT := not (netns or engines or scenario or terraform)
# compiled once, not by each of thousands of processes
export PYTHONDONTWRITEBYTECODE :=
export PATH := $(CURDIR)/.venv/bin:$(PATH):/usr/local/sbin:/usr/sbin:/sbin

.PHONY: demo test check lint unit ordinary bench fuzz golden coverage setup clean

# a fresh region each time; its logs stay in build/demo
demo: setup
	@$(VENV)/latticewall --state "$(DEMO_STATE)" down --purge >/dev/null
	@$(VENV)/latticewall --state "$(DEMO_STATE)" walkthrough --scenario all; code=$$?; \
	$(VENV)/latticewall --state "$(DEMO_STATE)" down >/dev/null || code=1; exit $$code

test: setup
	$(VENV)/python -m pytest -q $(PARALLEL)
	@scripts/test-ordinary.sh

check: lint unit

lint: setup
	$(VENV)/ruff check .
	$(VENV)/mypy
	$(VENV)/lint-imports --no-logo

unit: setup
	$(VENV)/python -m pytest -q $(PARALLEL) -m "$(UNIT)"

# the parts that depend on rights, as an ordinary user (does nothing when the whole suite already runs as one)
ordinary: setup
	@scripts/test-ordinary.sh

bench: setup
	$(VENV)/python -m bench

# hostile requests, a great many: a million against the proxy's Lua, a million policy evaluations, ten minutes against a live Envoy
fuzz: setup
	$(VENV)/python -m fuzz

# write the golden files anew; the change is then reviewed like any other
golden: setup
	UPDATE_GOLDEN=1 $(VENV)/python -m pytest -q -m "$(UNIT)" -k "golden or plan or render"

# docs/operations.md from what tests perform: all but Terraform's, whose own processes' calls do not count
coverage: setup
	rm -f build/operations.json
	$(VENV)/python -m pytest -q $(PARALLEL) -p tests.coverage_page -m "not terraform"
	$(VENV)/python scripts/coverage_page.py

setup:
	@scripts/setup.sh

clean:
	rm -rf build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
