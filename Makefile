# make run    set everything up and convert the shipped fixtures
# make test   set everything up and run the tests
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
FIXTURES = $(shell find fixtures -type f \( -name '*.hl7' -o -name '*.json' -o -name '*.ndjson' \) ! -name '*.expected.*' | sort)

# The compiled form of the shipped tables; where they have faults there is none, and the command that needs them says so.
TABLES := adapter/tables/shipped.json

.PHONY: run test lint bench docs clean

$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("b2m-adapter needs Python 3.11 or newer; this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

$(TABLES): $(VENV)/.installed $(shell find mappings -name '*.csv') $(wildcard adapter/tables/*.py)
	@$(BIN)/python -m adapter.tables.shipped || rm -f $@

# Some fixtures are wrong on purpose and are rejected, so status 1 is right here.
run: $(TABLES)
	@mkdir -p build
	$(BIN)/b2m-adapter convert --quiet --issues build/issues.ndjson $(FIXTURES) > build/fixtures.ndjson || [ $$? -eq 1 ]
	@echo "All fixtures: build/fixtures.ndjson, issues: build/issues.ndjson. One of them, as FHIR resources:"
	$(BIN)/b2m-adapter convert --to ndjson --pretty fixtures/urine/local-code-random.hl7

# Three processes keep two cores busy: some tests wait for time-outs and for services that start.
test: $(TABLES)
	$(BIN)/python -m pytest --numprocesses 3 --dist worksteal

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(TABLES)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	$(BIN)/python bench/run.py

docs: $(VENV)/.installed
	$(BIN)/python -m tools.make_docs

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache build dist
