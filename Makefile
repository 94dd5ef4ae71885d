PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-all check conformance conformance-lambda matrix-lambda acceptance-aws kubernetes field sdk-matrix fuzz soak soak-containers benchmarks coverage docs release clean

# The newcomer's first command: deploys the example and calls its tools through the URL that it got.
demo: $(VENV)/installed
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh examples/demo.sh

# The second: what CI runs first.
test: $(VENV)/installed
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile

# What CI runs then: all that takes longer. The soak measures, and has the machine to itself.
test-all: $(VENV)/installed
	$(BIN)/python -m pytest -m whole --numprocesses 3 --dist loadfile --ignore tests/soak
	$(BIN)/python -m pytest -m whole tests/soak

check: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

conformance: $(VENV)/installed
	$(BIN)/python -m tests.conformance.run

# The same against a function on emulated Lambda, of which `make test` runs a part.
conformance-lambda: $(VENV)/installed
	$(BIN)/python -m tests.conformance.run --target lambda

# Every client against every kind of server on emulated Lambda, of which `make test` and `make test-all` run a part.
matrix-lambda: $(VENV)/installed
	$(BIN)/python -m pytest -m "matrix or not matrix" tests/targets/aws_lambda/test_clients.py

# On AWS itself, with your credentials: deploys an example, tries it, destroys it, and says what held.
acceptance-aws: $(VENV)/installed
	$(BIN)/python -m tests.aws.acceptance

# Deploys to a real control plane of Kubernetes, which is built once (eight minutes of a processor): on Linux, as root.
kubernetes: $(VENV)/installed
	$(BIN)/python -m tests.targets.kubernetes.run

# Real servers from PyPI and npm, by hand and deployed, of which `make test-all` runs a part.
field: $(VENV)/installed
	$(BIN)/python -m tests.field.run

# Every generation and minor of the SDKs, by hand and deployed, of which `make test-all` runs a part.
sdk-matrix: $(VENV)/installed
	$(BIN)/python -m tests.field.sdk_matrix

# What strangers, servers and files say, made up for long, of which `make test` runs a part.
fuzz: $(VENV)/installed
	$(BIN)/python -m tests.fuzz.run

# Redeploys, kills and wakes under load, and what was lost: on Linux, as root.
soak: $(VENV)/installed
	$(BIN)/python -m tests.soak.run

# The same with containers: on Linux, as root, with a Docker Engine.
soak-containers: $(VENV)/installed
	$(BIN)/python -m tests.soak.containers

benchmarks: $(VENV)/installed
	$(BIN)/python -m benchmarks.cli_start
	$(BIN)/python -m benchmarks.deploy_time
	$(BIN)/python -m benchmarks.cold_start
	$(BIN)/python -m benchmarks.restart
	$(BIN)/python -m benchmarks.memory
	$(BIN)/python -m benchmarks.throughput
	$(BIN)/python -m benchmarks.two_workers
	$(BIN)/python -m benchmarks.guarded
	$(BIN)/python -m benchmarks.telemetry
	$(BIN)/python -m benchmarks.console
	$(BIN)/python -m benchmarks.error_records
	$(BIN)/python -m benchmarks.webhook_answer
	$(BIN)/python -m benchmarks.lambda_cold_start
	$(BIN)/python -m benchmarks.lambda_warm_call
	$(BIN)/python -m benchmarks.lambda_first_byte
	$(BIN)/python -m benchmarks.lambda_upload
	$(BIN)/python -m benchmarks.lambda_build_time
	$(BIN)/python -m benchmarks.lambda_webhook_answer
	$(BIN)/python -m benchmarks.image_push
	$(BIN)/python -m benchmarks.containers

$(VENV)/installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "homeport needs Python 3.11 or newer; try: make PYTHON=python3.12 demo")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --editable . --group dev
	touch $@

# Lines and branches that the tests run: docs/testing.md says what is not measured.
coverage: $(VENV)/installed
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest --numprocesses 3 --dist loadfile
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

docs: $(VENV)/installed
	$(BIN)/python -m tools.command_reference

# Version, changelog and tag are compared, the wheel is built and tried: make release VERSION=0.2.0
release: $(VENV)/installed
	$(BIN)/python -m tools.release $(VERSION)

clean:
	rm -rf $(VENV)
