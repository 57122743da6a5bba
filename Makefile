# Every command of the project. `make help` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
BIN := .venv/bin
WORKERS ?= 2# of the tests; more than two want more than two cores
PROTOS := $(shell find protos -name '*.proto')

.PHONY: help
help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The environment is made anew when what it is made from changes.
.venv/.ready: pyproject.toml constraints.txt
	@test -x $(BIN)/python || { echo "creating .venv"; $(PYTHON) -m venv .venv || { \
	  echo "Python 3.11 with venv is needed: on Debian, apt-get install python3 python3-venv"; exit 1; }; }
	@echo "installing dependencies into .venv (once; a few minutes on a slow line)"
	@mkdir -p gen/paideia && touch gen/paideia/__init__.py
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

gen/.ready: .venv/.ready $(PROTOS)
	@rm -rf gen/paideia gen/third_party && mkdir -p gen/paideia gen/third_party/google/api
	@cp $$($(BIN)/python -c 'import google.api, os; print(list(google.api.__path__)[0])')/{annotations,http,field_behavior}.proto \
	  gen/third_party/google/api/
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m grpc_tools.protoc -Iprotos -Igen/third_party \
	  --python_out=gen --pyi_out=gen --grpc_python_out=gen --mypy_grpc_out=gen \
	  --descriptor_set_out=gen/paideia.binpb --include_imports --include_source_info $(PROTOS)
	@find gen/paideia -type d -exec touch {}/__init__.py \;
	@touch $@

.PHONY: proto
proto: gen/.ready ## generate the stubs from protos/

.PHONY: generate
generate: proto ## write the Envoy configurations, the manifests, the OpenAPI document and the authorization table anew
	$(BIN)/python envoy/generate.py --golden
	$(BIN)/python k8s/generate.py --golden

.PHONY: check
check: proto ## lint, format, types, import contracts, protos, generated files, Envoy configuration
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code protos
	$(BIN)/buf breaking protos --against protos/released.binpb
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	MYPYPATH=envoy:gen $(BIN)/mypy envoy/generate.py envoy/edge/*.py
	MYPYPATH=k8s:gen $(BIN)/mypy k8s/generate.py k8s/drain.py k8s/deployment/*.py
	$(BIN)/lint-imports --no-cache

.PHONY: breaking
breaking: proto ## nothing that was released is taken back: protos/ against protos/released.binpb
	$(BIN)/buf breaking protos --against protos/released.binpb

.PHONY: released
released: breaking ## note the present schema as released: run it with every release, and commit what it writes
	$(BIN)/buf build --exclude-source-info -o protos/released.binpb
	$(BIN)/python -m tests.compatibility.samples --release $$($(BIN)/python -c 'import importlib.metadata as m; print(m.version("paideia"))') --write

.PHONY: test
test: check ## every check, then every test on ports and data of its own
	@echo "tests start PostgreSQL, Valkey, an S3 server, a Kafka broker and Envoy on free loopback ports, in a temporary folder"
	$(BIN)/python -m pytest -n $(WORKERS)

.PHONY: screenshots
screenshots: proto ## take the pictures of the pages in docs/images anew, with a browser and a stack of their own
	PAIDEIA_SCREENSHOTS=docs/images $(BIN)/python -m pytest tests/e2e/test_browser.py -q

.PHONY: format
format: proto ## format the protos and the code
	$(BIN)/buf format --write protos
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .

.PHONY: run
run: proto ## start everything on this machine, load the sample course, and say where to go
	@$(BIN)/paideia up
	@$(BIN)/paideia load fractions

.PHONY: stop
stop: ## stop what `make run` started; the data stays
	@if [ -x $(BIN)/paideia ]; then $(BIN)/paideia down; else echo "nothing was running"; fi

BENCHMARKS := $(sort $(wildcard benchmarks/[a-z]*.py))
ENGINE := $(sort $(wildcard benchmarks/engine/[a-z]*.py)) benchmarks/next_items.py
define measure
	@mkdir -p benchmarks/results
	@for each in $(1); do name=$$(basename $$each .py); echo "$$name"; \
	  $(BIN)/python $$each > benchmarks/results/$$name.json || exit 1; cat benchmarks/results/$$name.json; done
endef

.PHONY: fuzz
fuzz: proto ## send 5,000 strange requests and more to the running platform, as each role; JSON
	$(BIN)/python -m tests.security.fuzz --cases 5000

.PHONY: bench
bench: proto ## measure every promise of the platform against its rival; JSON into benchmarks/results/
	$(call measure,$(BENCHMARKS))

.PHONY: bench-engine
bench-engine: proto ## measure the adaptive engine against its rivals; JSON into benchmarks/results/
	$(call measure,$(ENGINE))
