# What people and CI type. Each target installs what it needs and says what it cannot.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run build console test fmt lint docs bench load eval clean

help:
	@echo "make run     build and start the service on http://127.0.0.1:8000"
	@echo "make test    everything that CI runs: format, lints, documents, tests"
	@echo "make build   the release binary, with the console in it"
	@echo "make console the web console alone; it goes into the next build"
	@echo "make fmt     format the code"
	@echo "make lint    format check, clippy, tidy"
	@echo "make docs    write the generated documents anew"
	@echo "make bench   measure speed and memory"
	@echo "make load    measure the gateway: reads, streams, how late an alert is"
	@echo "make eval    judge detection on the labelled recordings"
	@echo "make clean   remove what was built"

run:
	@scripts/run.sh $(ARGS)

build:
	@scripts/need.sh build
	@scripts/console.sh
	cargo build --release --locked --bin hanabi

console:
	@scripts/console.sh

test:
	@scripts/test.sh

fmt:
	cargo fmt --all

lint:
	@scripts/need.sh build
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo xtask tidy

docs:
	@scripts/need.sh build
	cargo run --quiet --locked --bin hanabi -- config reference configuration > docs/configuration.md
	cargo run --quiet --locked --bin hanabi -- config reference metrics > docs/metrics.md
	cargo run --quiet --locked --bin hanabi -- config reference templates > docs/promql-templates.md
	cargo run --quiet --locked --bin hanabi -- config reference api > docs/interfaces/openapi.yaml

bench:
	@scripts/bench.sh

load:
	@scripts/load.sh

eval:
	@scripts/eval.sh

clean:
	cargo clean
