# Two commands on a fresh clone: `make demo` and `make test`. Each installs what a fresh machine lacks.

GUESTS  := redact drop-health mask-email business-rules adaptive-sampler
PLUGINS := target/plugins

.PHONY: demo test fmt lint plugins build bench toolchain python js clean

## See it work: a collector, a generator and a backend on this machine, and a plugin that you can swap.
demo: toolchain
	cargo run --release -p tailrace -- demo $(ARGS)

## Everything that CI checks.
test: toolchain fmt lint plugins python js
	cargo test --workspace

fmt: toolchain
	cargo fmt --all --check
	rustfmt --check --edition 2024 host/src/processors/tail_sampling/policy/*.rs

lint: toolchain
	cargo clippy --workspace --all-targets -- -D warnings

## The bundled plugins, from source, into target/plugins/*.wasm.
plugins: toolchain
	cargo build --profile plugin --target wasm32-wasip2 --target-dir target/guests $(addprefix -p ,$(GUESTS))
	mkdir -p $(PLUGINS)
	for name in $(GUESTS); do \
	    cp target/guests/wasm32-wasip2/plugin/$$(echo $$name | tr - _).wasm $(PLUGINS)/.$$name.tmp && \
	    mv $(PLUGINS)/.$$name.tmp $(PLUGINS)/$$name.wasm || exit 1; \
	done

build: toolchain
	cargo build --release -p tailrace

bench: toolchain
	cargo bench --workspace

## The toolchain that rust-toolchain.toml names, with its Wasm target. Says how to get rustup where there is none.
toolchain:
	@command -v rustup >/dev/null || { echo "rustup is missing: see https://rustup.rs, or your distribution's package"; exit 1; }
	@command -v cc >/dev/null || { echo "a C compiler is missing: apt-get install gcc"; exit 1; }
	@rustup toolchain install >/dev/null 2>&1 || rustup toolchain install

## A virtual environment with the OpenTelemetry Python SDK, for the test with a real client.
python: target/python/.ready

target/python/.ready: tests/python/requirements.txt
	python3 -m venv target/python
	target/python/bin/pip install --quiet --requirement $<
	touch $@

## What makes components of Python: in an environment of its own, like a user's.
python: target/python-plugins/.ready

target/python-plugins/.ready: tests/python/plugins.txt
	python3 -m venv target/python-plugins
	target/python-plugins/bin/pip install --quiet --requirement $<
	touch $@

## What makes components of JavaScript, if there is node; the tests that need it say SKIP if not.
js:
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory target/js/.ready; else echo "npm is missing: no tests of JavaScript plugins"; fi

target/js/.ready: tests/js/package.json
	mkdir -p target/js
	cp $< target/js/
	cd target/js && npm install --silent --no-audit --no-fund --no-package-lock
	touch $@

clean:
	cargo clean
