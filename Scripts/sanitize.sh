#!/usr/bin/env bash
# Runs the tests under a sanitizer: address or thread. TESSERA_TESTS=short shortens the long sweeps. A release build: what
# ships, and several times as fast.
set -euo pipefail
sanitizer=$1
build=.build-$sanitizer
# Elsewhere a warning is printed when its file is compiled, and never again.
export TESSERA_WARNINGS=errors
swift build -c release --build-tests --sanitize "$sanitizer" --build-path "$build"
# The runtime's own leaks at exit aren't ours to judge. Memory that there isn't is an error of Tessera's, which tests ask
# for: the sanitizers would stop the program.
export ASAN_OPTIONS="detect_leaks=0:allocator_may_return_null=1${ASAN_OPTIONS:+:$ASAN_OPTIONS}"
export TSAN_OPTIONS="halt_on_error=1 allocator_may_return_null=1 \
suppressions=$PWD/Scripts/thread-sanitizer.supp${TSAN_OPTIONS:+ $TSAN_OPTIONS}"
swift test -c release --skip-build --sanitize "$sanitizer" --build-path "$build"
