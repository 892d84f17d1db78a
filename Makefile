# Everything needs Swift only; what else the build wants, Scripts/setup.sh installs.

.PHONY: help bench test check setup lint format disassembly sanitize examples manual clean

help:
	@echo "make bench    build, then the main job: topology, peaks, training on real digits, time of each layer"
	@echo "make test     build, then all tests"
	@echo "make check    format, disassembly, sanitizers (warnings are errors), the examples"
	@echo "make format   rewrite all sources in the project's format"
	@echo "make manual   write Docs/engine-bench.1 anew, the manual page"
	@echo "make clean    remove all that was built"

setup:
	@Scripts/setup.sh

bench: setup
	swift build -c release --product engine-bench
	.build/release/engine-bench

test: setup
	swift build -c release --build-tests
	swift test -c release --skip-build

check: lint disassembly examples sanitize

SOURCES = Package.swift $(shell find Sources Tests Examples -name '*.swift' -not -path '*/.build*')

lint:
	@swift format lint --strict $(SOURCES)

format:
	@swift format -i $(SOURCES)

disassembly: setup
	swift build -c release --product engine-bench
	Scripts/check-disassembly.sh .build/release

EXAMPLES = --package-path Examples --scratch-path .build-examples
TUTORIAL = Tests/Fixtures/tutorial

# The second one is what the tutorial walks through.
examples: setup
	swift run -c release $(EXAMPLES) Embedding
	swift run -c release $(EXAMPLES) FineTuning $(TUTORIAL)/digits.onnx $(TUTORIAL)/digits.safetensors 20 0.05 \
	  .build-examples/tuned.onnx

sanitize: setup
	TESSERA_TESTS=short Scripts/sanitize.sh address
	TESSERA_TESTS=short Scripts/sanitize.sh thread

# From what the commands say of themselves, by the argument parser's own tool.
manual: setup
	swift build -c release --product engine-bench
	swift build -c release --product generate-manual
	.build/release/generate-manual .build/release/engine-bench --output-directory Docs

clean:
	rm -rf .build .build-*
