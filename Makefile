# Thin over meson. Every target first installs what is missing (tools/setup); see tools/packages.
# Variables: BUILD (folder of the ordinary build), FUZZ_SECONDS (per target), CC as meson takes it.

BUILD ?= build
FUZZ_SECONDS ?= 300
SHELL = /bin/sh

.PHONY: all setup install demo test bench fuzz check clean

all: setup
	@tools/build $(BUILD) release

setup:
	@tools/setup

# Programs, manual page and completion, below the prefix that meson has (/usr/local); DESTDIR is heeded.
install: all
	@meson install -C $(BUILD) --no-rebuild

demo: all
	@BUILD=$(BUILD) tools/demo

test: setup
	@test/run

bench: all
	@BUILD=$(BUILD) bench/run

fuzz: setup
	@FUZZ_SECONDS=$(FUZZ_SECONDS) tools/fuzz

check: setup
	@tools/check

clean:
	rm -rf build build-asan build-tsan build-clang build-fuzz $(BUILD)
