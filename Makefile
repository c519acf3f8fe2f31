# Every target does the set-up that it needs; what is done is not done again. `make help` lists them.
SHELL := /bin/bash
PREFIX ?= $(HOME)/.local
export MODEL PORT ARGS

.DEFAULT_GOAL := help
.PHONY: help run build test test-full bench install format tidy clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  MODEL=file.gguf, PORT=N, ARGS=\"...\"   for make run"
	@echo "  LOCALCODE_GGML=\"-DGGML_CUDA=ON\"        GGML options for the engine (CUDA, Vulkan, HIP, Metal)"
	@echo "  LOCALCODE_PORTABLE=1                   an engine for other machines than this one"

run: ## set everything up, then serve a local model on port 4242
	@tools/run.sh

build: ## the gateway alone, without the engine: for remote backends or your own llama-server
	@tools/setup/packages.sh build
	@tools/setup/build.sh release --target localcode

test: ## all tests but the long runs
	@tools/test.sh

test-full: ## also sanitizers, fuzzers, both models
	@tools/test.sh --full

bench: ## figures: LocalCode beside nginx and a direct connection
	@tools/bench.sh

install: ## into PREFIX (default ~/.local): programs, templates, man page, completions, systemd user unit
	@tools/setup/packages.sh run
	@tools/setup/build.sh release --engine >/dev/null
	@cmake --install build/release --prefix "$(PREFIX)"

format: ## clang-format over the sources
	@tools/setup/packages.sh full
	@git ls-files -z '*.cpp' '*.hpp' '*.h' | xargs -0 clang-format-14 -i

tidy: ## clang-tidy over the gateway's sources
	@tools/setup/packages.sh full
	@tools/setup/build.sh release >/dev/null
	@git ls-files -z 'src/*.cpp' | xargs -0 -n 4 -P "$$(nproc)" clang-tidy-14 -p build/release --quiet

clean: ## remove what was built in this checkout (the caches of llama.cpp, models and clients stay)
	rm -rf build
