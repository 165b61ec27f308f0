# Two commands matter: `make run` (see it work) and `make test` (check it). Each does its own set-up in .venv.
.DEFAULT_GOAL := help
.PHONY: help run test check lint bench deep clean core dev
MAKEFLAGS += --no-print-directory

MESOCOSM := .venv/bin/mesocosm
PYTEST := .venv/bin/python -m pytest -q -n auto
export PYTHON

help:
	@echo "make run     set up, run the baseline economy, verify its replay"
	@echo "make test    set up, then lint, types and every test (a few minutes)"
	@echo "make check   the same without the slow tests (about a minute)"
	@echo "make deep    the long randomised checks (hours; stop it when you like)"
	@echo "make bench   speed and memory, beside a plain-Python loop of the same model"
	@echo "make clean   remove .venv, caches and build output (never runs/)"

run: core
	@$(MESOCOSM) run baseline --epochs 10 --seed 42 --plot
	@$(MESOCOSM) replay latest --verify
	@echo
	@echo "Does an audit help? Thirty pairs of runs, without and with one:"
	@echo
	@$(MESOCOSM) compare baseline --set governance.random_audit.probability=0.2
	@echo
	@echo "Try next:"
	@echo "  .venv/bin/mesocosm compare appearances --set governance.random_audit.reads=proxy"
	@echo "  .venv/bin/mesocosm explain decision latest --agent 3 --step 20"
	@echo "  .venv/bin/mesocosm run adversarial_attack --seed 42 --plot"

test: lint
	@echo "Tests ..."
	@$(PYTEST)

check: lint
	@echo "Tests, without the slow ones ..."
	@$(PYTEST) -m "not slow"

lint: dev
	@echo "Style and types ..."
	@.venv/bin/python -m ruff check --quiet --output-format concise .
	@.venv/bin/python -m ruff format --check --quiet .
	@.venv/bin/python -m mypy

deep: dev
	@MESOCOSM_DEEP=1 $(PYTEST)

bench: dev
	@.venv/bin/python -m benchmarks

core:
	@sh scripts/setup.sh core

dev:
	@sh scripts/setup.sh dev

clean:
	@rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
