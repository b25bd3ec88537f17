# Siltstone: `make demo` and `make test` do all the set-up themselves.

.DEFAULT_GOAL := help
SHELL := /bin/bash

BINARY := target/release/siltstone
VENV   := .venv

# The same variables in every cargo call that links RocksDB, or it would be built again.
WITH_ROCKSDB = ROCKSDB_LIB_DIR="$$(scripts/rocksdb)" ROCKSDB_STATIC=1

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build the optimised binary at target/release/siltstone
	@scripts/packages g++=g++ make=make libclang=libclang-dev
	$(WITH_ROCKSDB) cargo build --release --features rocksdb

.PHONY: demo
demo: build $(VENV)/ready ## Run the main job on real Bitcoin data; ARGS=--once ends instead of serving
	$(BINARY) demo $(ARGS)

.PHONY: test
test: build $(VENV)/ready $(VENV)/clients $(VENV)/kafkajs ## Run everything that must hold
	cargo test --doc --workspace --quiet
	SILTSTONE_BINARY="$(CURDIR)/$(BINARY)" cargo test --workspace --all-targets
	$(WITH_ROCKSDB) cargo test --release --package siltstone-storage --features rocksdb --lib checkpoint

.PHONY: test-long
test-long: ## Run random tests for hours: 10 million searches, 100,000 crashes
	ORACLE_SEEDS=$(or $(ORACLE_SEEDS),600..2500600) cargo test --workspace --profile quick --lib -- any_search_over_any_split
	DELETE_SEEDS=$(or $(DELETE_SEEDS),150..5150) cargo test --workspace --profile quick --lib -- what_is_live_follows
	CRASH_SEEDS=$(or $(CRASH_SEEDS),1250..11250) cargo test --workspace --profile quick --lib -- ten_thousand_crashes
	cargo run --package siltstone-fuzz --profile quick -- all --seconds $(or $(FUZZ_SECONDS),480)

.PHONY: lint
lint: ## Check format, lints and documentation, warnings denied
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" cargo doc --workspace --no-deps --quiet

.PHONY: test-clients
test-clients: build $(VENV)/clients $(VENV)/kafkajs $(VENV)/go $(VENV)/java $(VENV)/elastic ## Run clients that we did not write
	@scripts/packages kcat=kcat
	SILTSTONE_BINARY="$(CURDIR)/$(BINARY)" SILTSTONE_ALL_CLIENTS=1 cargo test --test it -- clients transactions

.PHONY: ledger
ledger: build $(VENV)/clients ## Half an hour of producers and groups while the server is killed, frozen and out of room
	SILTSTONE_LEDGER_SECONDS=1800 SILTSTONE_BINARY="$(CURDIR)/$(BINARY)" cargo test --test it nothing_acknowledged -- --nocapture

REST_SPEC := target/rest-api-spec-3.1.0

.PHONY: test-rest
test-rest: build $(VENV)/rest $(REST_SPEC)/ready ## Run OpenSearch's REST tests; ARGS=--raise keeps what passes
	$(VENV)/bin/python tests/rest/check.py $(BINARY) $(REST_SPEC)/rest-api-spec $(ARGS)

# The tests come with the package that OpenSearch publishes for other implementations.
$(REST_SPEC)/ready:
	@scripts/packages mvn=maven python3=python3
	mvn --quiet --batch-mode dependency:copy -Dartifact=org.opensearch:rest-api-spec:3.1.0 -DoutputDirectory=$(REST_SPEC)
	python3 -m zipfile -e $(REST_SPEC)/rest-api-spec-3.1.0.jar $(REST_SPEC)
	@touch $@

$(VENV)/rest: tests/rest/requirements.txt $(VENV)/ready
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

# kafka-python 2.0.2 guesses the broker's release and speaks old versions, so it has a place of its own.
$(VENV)/clients: tests/clients/kafka/requirements-new.txt tests/clients/kafka/requirements-old.txt tests/clients/arrow/requirements.txt $(VENV)/ready
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --requirement $< --requirement $(word 3,$^)
	python3 -m venv $(VENV)/old
	$(VENV)/old/bin/pip install --quiet --disable-pip-version-check --requirement $(word 2,$^)
	@touch $@

$(VENV)/ready: examples/demo/requirements.txt
	@scripts/packages python3=python3 venv=python3-venv
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

KAFKAJS := tests/clients/kafka/kafkajs
$(VENV)/kafkajs: $(KAFKAJS)/package.json $(VENV)/ready
	@scripts/packages node=nodejs npm=npm
	npm install --prefix $(KAFKAJS) --no-audit --no-fund --no-package-lock --loglevel=error
	@touch $@

GO_CLIENTS := tests/clients/kafka/go
$(VENV)/go: $(wildcard $(GO_CLIENTS)/*/*.go $(GO_CLIENTS)/internal/*/*.go $(GO_CLIENTS)/go.*) $(VENV)/ready
	cd $(GO_CLIENTS) && go build -o "$(CURDIR)/$@/" ./...

JAVA_CLIENT   := tests/clients/kafka/java
JAVA_RELEASES := 2.8.2 3.9.1 4.3.1
$(VENV)/java: $(JAVA_CLIENT)/pom.xml $(JAVA_CLIENT)/src/main/java/Client.java $(VENV)/ready
	for release in $(JAVA_RELEASES); do \
	  mvn --quiet --batch-mode --file $(JAVA_CLIENT)/pom.xml -Dkafka.version=$$release compile dependency:copy-dependencies || exit 1; \
	done
	@touch $@

ELASTIC_CLIENTS := tests/clients/elastic
$(VENV)/elastic: $(wildcard $(ELASTIC_CLIENTS)/requirements-*.txt) $(ELASTIC_CLIENTS)/package.json $(wildcard $(ELASTIC_CLIENTS)/go/*/*.go $(ELASTIC_CLIENTS)/go/go.*) $(VENV)/kafkajs
	for release in 8 9; do \
	  python3 -m venv $(VENV)/elastic-$$release && \
	  $(VENV)/elastic-$$release/bin/pip install --quiet --disable-pip-version-check --requirement $(ELASTIC_CLIENTS)/requirements-$$release.txt || exit 1; \
	done
	npm install --prefix $(ELASTIC_CLIENTS) --no-audit --no-fund --no-package-lock --loglevel=error
	cd $(ELASTIC_CLIENTS)/go && go build -o "$(CURDIR)/$(VENV)/elastic-go/" ./...
	@touch $@
