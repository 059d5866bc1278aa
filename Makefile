# The two commands a newcomer needs are `make demo` and `make test`; each sets up what it needs.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= $(shell command -v python3.11 || command -v python3)
# Relative, for its folder may have blanks in its name.
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export VIRTUAL_ENV := $(CURDIR)/.venv
# Every stage is a new process, and without byte code each compiles torch and the rest anew: 25 s.
export PYTHONDONTWRITEBYTECODE :=
# Nothing is sent home (README, "Privacy").
export DO_NOT_TRACK := 1
export DVC_NO_ANALYTICS := 1
export GX_ANALYTICS_ENABLED := false
export HF_HUB_DISABLE_TELEMETRY := 1
export HF_HUB_OFFLINE := 1
export MLFLOW_DISABLE_TELEMETRY := true
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export UV_NO_PROGRESS := 1
# Labs often stand behind a proxy whose certificate only the system knows.
export UV_SYSTEM_CERTS := true

# By way of the environment: its name may hold blanks and quotes.
export COHORT ?= $(wildcard ../shared/real_cohort)
link = $(BIN)/python -c "import pathlib; print('report:', pathlib.Path('$(1)').absolute().as_uri())"
.PHONY: help setup run demo demo-real demo-external demo-expressions test check docs graph ui services calibrate null-cohorts bench chaos wheel lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/installed ## virtual environment, pinned packages, eifer itself, model files, the page of `dvc plots` (done by the others when needed)
	@$(BIN)/eifer assets --fetch > /dev/null

.venv/installed: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "setup: no python3 found; install Python 3.11 (Debian: apt install python3 python3-venv)"; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "setup: Python 3.11 is needed, $(PYTHON) is $$("$(PYTHON)" -V); give its path: make PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/pip || "$(PYTHON)" -m venv --clear .venv || { echo "setup: python cannot make virtual environments (Debian: apt install python3-venv)"; rm -rf .venv; exit 1; }
	@echo "setup: installing the pinned packages (a few minutes on a new machine)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep '^uv==' requirements.lock)"
	@$(BIN)/uv pip sync --quiet requirements.lock
	@$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m flows.pages.plots
	@touch $@

demo: setup ## run the study on the embedded, simulated cohort
	@eifer run
	@eifer summary
	@$(call link,data/report/index.html)

run: setup ## run the study as a Prefect flow, as many stages at once as this machine carries: make run ARGS="--dry-run"
	@eifer run $(ARGS)

demo-real: setup ## run the study on a folder of real recordings: make demo-real COHORT=path
	@test -n "$$COHORT" || { echo "demo-real: say where the recordings are: make demo-real COHORT=path"; exit 1; }
	@eifer workspace runs/demo-real --replace-params --preset presets/real.yaml --cohort "$$COHORT"
	@cd runs/demo-real && eifer run && eifer summary
	@$(call link,runs/demo-real/data/report/index.html)

calibrate: setup ## simulate how often each statistical test is right where the truth is known
	@dvc repro calibrate
	@python -m flows.pages.calibration

null-cohorts: setup ## how often the whole pipeline claims an effect that is not there, and whether random labels tell one (an hour)
	python -m benchmarks.null_cohorts
	@dvc repro --quiet affect
	python -m benchmarks.null_labels --cohorts 2

demo-external: setup ## the demo with the external check, by a small network from random numbers
	@eifer workspace runs/demo-external --replace-params --set external.networks=[testresnet] --set report.networks_from=data/evaluate_external
	@cd runs/demo-external && eifer run && eifer summary
	@$(call link,runs/demo-external/data/report/index.html)

demo-expressions: setup ## run the expressions study on drawn corpora: wrong labels and copies are planted
	@eifer workspace runs/demo-expressions --replace-params --study expressions
	@cd runs/demo-expressions && eifer run && eifer summary
	@$(call link,runs/demo-expressions/data/report/index.html)

test: setup check ## lint, types, import contracts, and every test
	pytest

check: setup ## lint, types and import contracts alone
	ruff check .
	ruff format --check .
	mypy
	lint-imports

docs: setup ## print what docs has from declarations again (outputs, settings, networks, graphs)
	eifer docs

graph: setup ## print the deps of dvc.yaml again from stages/catalogue.py, and the blocks of new stages
	@python -m flows.dvc_yaml

ui: setup ## open MLflow's comparison of the repetitions
	@eifer ui

services: setup ## start Prefect, MLflow and a worker on this machine, until Ctrl-C
	@eifer services

bench: setup ## measure speed and memory against bare loops
	python -m benchmarks

chaos: setup ## harm small studies at random and check that the next run mends them: make chaos ARGS="--only 7"
	python -m benchmarks.chaos $(ARGS)

wheel: setup ## build dist/eifer-*.whl: with it, `eifer estimate` needs neither torch nor this folder
	$(BIN)/python -m hatchling build -t wheel -d dist

lock: setup ## resolve requirements.lock again from pyproject.toml
	uv pip compile pyproject.toml --extra study --extra signing --extra dev --python-version 3.11.0 --no-header --no-annotate --no-emit-index-url --quiet --output-file requirements.lock

clean: ## remove what runs made (not the DVC cache, not the environment)
	rm -rf data runs
