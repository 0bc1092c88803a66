# SPDX-License-Identifier: GPL-2.0
#
# zero_page: two commands do everything, `make run` and `make test`; see
# `make help`.  For the module alone this is an ordinary out-of-tree Makefile:
# `make KDIR=<tree>`, `make install`.

SHELL := /bin/bash
MINUTES ?= 60
.DEFAULT_GOAL := all
.PHONY: all run shell test bench test-debug test-kcsan torture peers check fmt clippy setup kernels install modules_install clean help

# kbuild,GOALS: runs the kernel's build system on this folder with the toolchain
# that builds our kernels.  KDIR= is the built kernel tree the module is for;
# unless given, it is the patched one in the cache.
define kbuild
@. scripts/toolchain.sh && require_llvm && \
	kdir=$${KDIR:-$$(scripts/build-kernel.sh --path patched)} && \
	require_built "$$kdir" && \
	$(MAKE) --no-print-directory -C "$$kdir" M="$(CURDIR)" $(1)
endef

# The module for the kernel in the cache, whatever KDIR says.
guest_module = @$(MAKE) --no-print-directory all KDIR=

all:
	$(call kbuild,modules)

install modules_install: all
	$(call kbuild,modules_install)

setup:
	@scripts/setup.sh

kernels: setup
	@scripts/build-kernel.sh stock
	@scripts/build-kernel.sh patched

run: kernels
	$(guest_module)
	@scripts/run-demo

shell: kernels
	$(guest_module)
	@scripts/vm --shell

test: kernels
	$(guest_module) KUNIT=1
	@tests/run

# All that runs in a guest, on kernels that complain of everything
test-debug test-kcsan: test-%: kernels
	@scripts/build-kernel.sh $*
	@$(MAKE) --no-print-directory all KUNIT=1 KDIR=$$(scripts/build-kernel.sh --path $*)
	@tests/run --kernel $*

torture: kernels
	$(guest_module)
	@$(MAKE) --no-print-directory -C tests/torture
	@tests/torture/run --minutes $(MINUTES)

peers: kernels
	@scripts/setup.sh peers
	$(guest_module)
	@tests/peers/run

bench: setup
	@tests/bench/run

check: kernels
	@scripts/check.sh

fmt: setup
	@. scripts/toolchain.sh && find rust tests -name '*.rs' -exec rustfmt {} +

clippy: kernels
	$(guest_module) KUNIT=1 CLIPPY=1

clean:
	$(call kbuild,clean)

help:
	@echo 'Everything (each does all set-up by itself):'
	@echo '  run              demonstrate zero_page in QEMU, against a stock kernel'
	@echo '  test             prove it: static checks, KUnit and guest tests'
	@echo '  test-debug       its guest tests on a kernel with KASAN, lockdep and more (slow)'
	@echo '  test-kcsan       its guest tests on a kernel that looks for data races (slow)'
	@echo '  torture          use memory in every way for MINUTES=60, in guests of all kinds'
	@echo '  peers            selftests/mm and stress-ng, compared with the stock kernel (an hour)'
	@echo '  bench            measure what it costs and brings, in QEMU and user-mode Linux'
	@echo '  shell            a shell in the guest, with the module loaded'
	@echo 'The module:'
	@echo '  all              build it for KDIR=<tree> (default: our patched kernel);'
	@echo '                   KUNIT=1 builds zero_page_kunit.ko as well'
	@echo '  install          install it for that kernel, as modules_install does'
	@echo '  clean            remove what was built here'
	@echo 'Parts:'
	@echo '  setup            install packages and tools'
	@echo '  kernels          build the stock and the patched kernel'
	@echo '  check            format, clippy, checkpatch, patches, documentation'
	@echo '  fmt, clippy      format the Rust code; lint it'
	@echo 'Variables:'
	@echo '  KERNEL_SRC=      tree or tarball of Linux 7.3.y to use'
	@echo '  ZERO_PAGE_CACHE= where all that is built is kept (~/.cache/zero_page)'
