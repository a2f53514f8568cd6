# Everything starts here; nothing has to be installed but a Python 3 and make.
# Another Python to start from: make setup PYTHON=python3.12

PYTHON ?= python3
# How many files of tests run at once, each with parts of its own: make test WORKERS=4
WORKERS ?= 3
CIVICWIRE = .venv/bin/civicwire
CODE = civicwire producers schemas stream_jobs dashboards tests

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev demo up down status test test-chaos test-compose smoke-bigquery lint format generate \
  check-generated compose-lint terraform docs lock

help: ## show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install all that the project needs, isolated in .venv and .parts
	@$(PYTHON) -m civicwire.bootstrap

setup-dev: ## the same with what tests and checks need
	@$(PYTHON) -m civicwire.bootstrap --dev

demo: setup ## the whole line at work, from a sandbox portal to dashboards
	@$(CIVICWIRE) demo

up: setup ## start the local stack and keep it in the foreground
	@$(CIVICWIRE) up

down: setup ## stop the local stack
	@$(CIVICWIRE) down

status: setup ## what runs
	@$(CIVICWIRE) status

test: setup-dev ## all tests but those of chaos and compose, three files at a time
	@.venv/bin/python -m pytest tests -m "not chaos and not compose" -n $(WORKERS) --dist loadfile \
	  --no-loadscope-reorder --durations=25

test-chaos: setup-dev ## kill parts and compare what is left with the truth
	@.venv/bin/python -m pytest tests -m chaos

smoke-bigquery: setup ## the demo against your own BigQuery project (CIVICWIRE_TARGET, CIVICWIRE_PROJECT); see docs/bigquery.md
	@.venv/bin/python -m civicwire.smoke

test-compose: setup-dev ## the compose file in Docker, every container killed once (a daemon, root; docs/operations.md)
	@.venv/bin/python -m pytest tests/compose -m compose

compose-lint: setup-dev ## the rules for docker-compose.yml and docker/, and compose's own check where it is installed
	@.venv/bin/python -m pytest -q tests/unit/test_compose_file.py
	@if docker compose version >/dev/null 2>&1; then docker compose --env-file .env.example config -q && \
	  CIVICWIRE_KAFKA=kafka.example:9092 CIVICWIRE_REGISTRY=https://registry.example \
	  docker compose --env-file .env.example -f docker-compose.yml -f docker/kafka.yml config -q; \
	  else echo "docker compose is not here: its own check is left out"; fi

lint: setup-dev ## style, types, imports between rooms, SQL
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	PYTHONPATH=. .venv/bin/lint-imports
	.venv/bin/sqlfluff lint --disable-progress-bar dbt
	.venv/bin/sqlfluff lint --disable-progress-bar stream_jobs/normalize stream_jobs/windows stream_jobs/fragments
	.venv/bin/python -m dashboards --check
	.venv/bin/python -m civicwire.seeds --check
	.venv/bin/python -m stream_jobs.warehouse.terraform --check

format: setup-dev ## put the code into its form
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

generate: setup ## write the generated files anew: dashboards, seeds of feeds and breaks, Terraform's tables
	@.venv/bin/python -m dashboards
	@.venv/bin/python -m civicwire.seeds
	@.venv/bin/python -m stream_jobs.warehouse.terraform

check-generated: setup ## fail when a generated file is stale
	@.venv/bin/python -m dashboards --check
	@.venv/bin/python -m civicwire.seeds --check
	@.venv/bin/python -m stream_jobs.warehouse.terraform --check

terraform: setup-dev ## check the Terraform module: form, validity, tests, tflint (needs Go)
	@.venv/bin/python -m terraform.ci

docs: setup ## the documentation site, build/docs/index.html; with the stack up, dbt's pages have the catalogue
	@.venv/bin/python -m civicwire.site

lock: setup-dev ## pin again what requirements/*.in and civicwire/stack/poms/*.xml ask for (needs Maven)
	@for name in core dev docs; do \
	  .parts/uv/bin/uv pip compile -q --no-emit-index-url --universal --generate-hashes --python-version 3.11 \
	    requirements/$$name.in -o requirements/$$name.txt || exit 1; done
	@.parts/uv/bin/uv pip compile -q --no-emit-index-url --generate-hashes --python-version 3.11 \
	  requirements/flink.in -o requirements/flink.txt
	@.parts/uv/bin/uv pip compile -q --no-emit-index-url --universal --generate-hashes --python-version 3.13 \
	  requirements/warehouse.in -o requirements/warehouse.txt
	@.parts/uv/bin/uv pip compile -q --no-emit-index-url --universal --generate-hashes --no-deps --python-version 3.11 \
	  requirements/terraform.in -o requirements/terraform.txt
	@.venv/bin/python -m civicwire.stack.jars lock
