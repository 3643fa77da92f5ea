PYTHON ?= python3
BIN := .venv/bin
export OMP_NUM_THREADS ?= 1

.PHONY: demo test check bench bench-scale clean

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/installed-test: .venv/installed
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

## demo: install into .venv and unmix a simulated scene, from file to maps
demo: .venv/installed
	$(BIN)/unmixel demo --output demo --overwrite

## check: style, types and the layers of the package
check: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

## test: every check and every test
test: check
	$(BIN)/pytest -n 2 --dist worksteal

## bench: speed and memory, as ratios within one run
bench: .venv/installed-test
	$(BIN)/python benchmarks/speed.py

## bench-scale: scenes larger than memory, workers and kills; takes 20 GB of disk for a while
bench-scale: .venv/installed-test
	$(BIN)/python benchmarks/scale.py

clean:
	rm -rf .venv demo
