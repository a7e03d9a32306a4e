# Every target sets up first what it needs; nothing has to be installed by hand.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet

.PHONY: help setup run serve test check format pictures bench peers servers biometrics faults cluster soak rabbit fuzz

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.demo: requirements.txt requirements-demo.txt constraints.txt packaging/dlib/pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing the product's packages into $(VENV) (once; half a minute to two) …"
	@$(PIP) install --no-compile -r requirements-demo.txt
	@touch $@

$(VENV)/.test: $(VENV)/.demo requirements-test.txt
	@echo "installing the tests' packages …"
	@$(PIP) install --no-compile -r requirements-test.txt
	@touch $@

setup: $(VENV)/.demo ## install what `make run` needs into .venv

run: setup ## start the whole product in its demo profile
	@exec $(BIN)/python app.py run

serve: setup ## start the product in its production profile
	@exec $(BIN)/python app.py serve

test: $(VENV)/.test ## run all tests
	@sh tests/system-packages.sh
	@# RabbitMQ's tests are `make rabbit`'s: its server is a large one, and optional.
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --ignore=tests/bot/test_rabbit.py

check: $(VENV)/.test ## formatting, lint, types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

format: $(VENV)/.test ## format the code and mend what lint can mend
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

pictures: $(VENV)/.test ## take the pictures of README anew, from the running product
	@sh tests/system-packages.sh
	@$(BIN)/python -m tests.product.take_pictures

SECONDS ?= 60
fuzz: $(VENV)/.test ## throw junk at what reads pushes, guided by coverage (SECONDS=60)
	@$(PIP) install -r requirements-fuzz.txt
	@$(BIN)/python -m tests.fuzz.pushes -max_total_time=$(SECONDS) -max_len=4096 -print_final_stats=1

bench: $(VENV)/.test ## run the benchmarks; tables and plots go to benchmarks/results/ (GROUPS="requests faces")
	@$(BIN)/python -m benchmarks $(GROUPS)

$(VENV)/peers/.there: requirements-peers.txt $(VENV)/.test
	@$(PIP) install --no-compile --no-deps --upgrade --target $(VENV)/peers -r requirements-peers.txt
	@touch $@

peers: $(VENV)/peers/.there ## what the benchmarks compare the product with, in a folder of its own

servers: peers ## compare web servers under the product's own mix of requests
	@$(BIN)/python -m benchmarks.servers

biometrics: $(VENV)/.test ## measure the error rates of faces; PAIRS=folder or CSV for pairs of your own
	@$(BIN)/python -m benchmarks.biometrics $(if $(PAIRS),--pairs $(PAIRS))

faults: $(VENV)/.test ## run the table of faults and attacks, and the platform's faults under load
	@sh tests/system-packages.sh
	@$(BIN)/python -m benchmarks.faults
	@$(BIN)/python -m benchmarks.platform_faults

CONTRACT := $(addprefix tests/credentials/test_,$(addsuffix .py,store cards issuing lifecycle \
	verification approvals audit pins upgrade verifiers accounts limits templates replicas))

cluster: $(VENV)/.test ## run the store on a real Redis Cluster that moves and dies
	@sh tests/system-packages.sh
	@CARD_CLUSTER=yes $(BIN)/python -m pytest -q --timeout 300 $(CONTRACT)
	@$(BIN)/python -m benchmarks.cluster

rabbit: $(VENV)/.test ## test background jobs on a real RabbitMQ
	@PATH="$$PATH:/usr/sbin" sh tests/system-packages.sh rabbitmq-server
	@$(BIN)/python -m pytest -q tests/bot/test_rabbit.py

soak: $(VENV)/.test ## run mixed load for MINUTES (60) and plot memory, descriptors, keys and latency
	@$(BIN)/python -m benchmarks.soak --minutes $(or $(MINUTES),60)
