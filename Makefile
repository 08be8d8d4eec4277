# Two commands: `make demo` and `make test`. Each does the set-up it needs.
SHELL := /bin/bash
UV_VERSION := 0.13.8
UV := .tools/uv/bin/uv
BIN := .venv/bin
STAMP := .venv/.installed
DOCS_STAMP := .venv-docs/.installed
export UV_LINK_MODE ?= copy

INPUTS ?= 100000
PYTHONS ?= 3.10 3.11 3.12

.PHONY: demo test quick fuzz kills wheel lint setup arm apk lock docs clean

demo: setup  ## Synthetic plates through every stage: train, slim, convert, validate.
	$(BIN)/ppedge run recipes/demo.yml

test: setup lint  ## Lint, then the whole suite.
	$(BIN)/pytest -n 2

quick: setup  ## The suite without its slow cases.
	$(BIN)/pytest -n 2 -m "not slow"

fuzz: $(STAMP)  ## INPUTS mutated inputs through all that reads files; what is found is kept in fuzz-findings/.
	cd tests && ../$(BIN)/python -m fuzz --inputs $(INPUTS)

kills: setup  ## Every stage, killed and interrupted at random moments.
	$(BIN)/python tests/e2e/kill_campaign.py --tries 100

wheel: setup  ## The wheel alone, in an empty environment of each Python.
	for python in $(PYTHONS); do PPEDGE_TEST_PYTHON=$$python $(BIN)/pytest -n 0 tests/test_wheel.py || exit 1; done

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	cd android_demo && ../$(BIN)/python -m tools.lint

apk: setup  ## The Android app, with what `ppedge bundle --into android_demo` has put into it.
	$(BIN)/python android_demo/build_apk.py

setup: $(STAMP) arm

arm: $(STAMP)  ## The emulator; with PPEDGE_LITE=DIR also the Paddle Lite runtime there, and a Java for the app.
	@$(BIN)/ppedge arm setup $(if $(PPEDGE_LITE),--lite "$(PPEDGE_LITE)" --java)

$(UV):
	python3 -m venv .tools/uv
	.tools/uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(STAMP): requirements/dev.lock pyproject.toml .python-version | $(UV)
	test -x $(BIN)/python || $(UV) venv --quiet --python 3.10 --clear .venv
	$(UV) pip sync --quiet --python $(BIN)/python --require-hashes --compile-bytecode requirements/dev.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

lock: $(UV)  ## Resolve the locks anew; no lock names a registry's host.
	$(UV) pip compile --quiet --upgrade --generate-hashes --no-header --extra cpu --extra dev pyproject.toml -o requirements/dev.lock
	$(UV) pip compile --quiet --upgrade --generate-hashes --no-header --extra docs pyproject.toml -o requirements/docs.lock
	$(UV) pip compile --quiet --upgrade --generate-hashes --no-header --python-version 3.10 toolkit/ppedge/convert/opt.in -o toolkit/ppedge/convert/opt.lock
	$(UV) pip compile --quiet --upgrade --generate-hashes --no-header --python-platform aarch64-manylinux_2_28 --python-version 3.11 toolkit/ppedge/arm/arm64.in -o toolkit/ppedge/arm/arm64.lock

docs: $(STAMP) $(DOCS_STAMP)  ## Write docs/recipes.md from the schema and docs/models.md from its table, then the site into site/.
	$(BIN)/python docs/make_recipes.py
	$(BIN)/python docs/make_models.py
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --strict

$(DOCS_STAMP): requirements/docs.lock .python-version | $(UV)
	test -d .venv-docs || $(UV) venv --quiet .venv-docs
	$(UV) pip sync --quiet --require-hashes --python .venv-docs/bin/python requirements/docs.lock
	touch $@

clean:
	rm -rf .venv .venv-docs .venv-bench .tools site android_demo/build
