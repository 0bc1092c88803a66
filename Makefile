# SPDX-License-Identifier: GPL-2.0
#
# zero_page: two commands do everything, `make run` and `make test`; see
# `make help`.  For the module alone this is an ordinary out-of-tree Makefile:
# `make KDIR=<tree>`, `make install`.

SHELL := /bin/bash
MINUTES ?= 60
KERNEL ?= patched
.DEFAULT_GOAL := all

# All build products go there; kbuild refuses this if there are objects among the sources.
build := $(CURDIR)/build
kbuild = $(MAKE) --no-print-directory M="$(CURDIR)"

# KDIR= is the built kernel tree the module is for; unless given, it is the
# patched one in the cache.  Its toolchain is the one that builds our kernels.
define for_kdir
@. scripts/toolchain.sh && require_llvm && \
	kdir=$${KDIR:-$$(scripts/kernel/build.sh --path patched)} && \
	require_built "$$kdir" && \
	$(kbuild) -C "$$kdir" MO="$(build)/module" $(1)
endef

.PHONY: all
all:
	$(call for_kdir,modules)
	@cp $(build)/module/zero_page.ko .

.PHONY: install modules_install
install modules_install: all
	$(call for_kdir,modules_install)

# The modules that guests load, by kernel, and additional settings for kbuild
of_guests := patched debug kcsan stock uml-patched uml-stock
modules-%: wanted = zero_page zero_page_kunit zero_page_bench
modules-kcsan: wanted += zero_page_race
modules-uml-patched: wanted = zero_page zero_page_bench
modules-stock modules-uml-stock: wanted = zero_page_bench
# What UML does for modules in C only: they are loaded far from the kernel, and
# its loader does not know the relocations of position-independent Rust.
modules-uml-%: settings = ARCH=um KRUSTFLAGS='-Crelocation-model=static -Ccode-model=large'

.PHONY: $(of_guests:%=modules-%)
$(of_guests:%=modules-%): modules-%:
	@. scripts/toolchain.sh && require_llvm && \
	tree=$$(scripts/kernel/build.sh --path $*) && \
	env -u MAKEFLAGS $(settings) $(kbuild) -s -C "$$tree" MO="$(build)/modules/$*" W=1 \
		ZERO_PAGE_MODULES="$(wanted)" modules

.PHONY: programs
programs:
	@$(MAKE) --no-print-directory -C tests

.PHONY: setup
setup:
	@scripts/setup.sh

.PHONY: kernels
kernels: setup
	@scripts/kernel/build.sh patched
	@scripts/kernel/build.sh stock

# The series, as a git tree to edit it in, and back
.PHONY: tree patches each-patch topic
tree: setup
	@scripts/kernel/tree import

patches: setup
	@scripts/kernel/tree export

topic: tree
	@scripts/kernel/tree topic "$(TOPIC)"

each-patch: setup
	@scripts/kernel/each-patch $(TOPIC)

.PHONY: run
run: kernels
	@tests/demo/run

.PHONY: shell
shell: setup
	@scripts/kernel/build.sh $(KERNEL)
	@$(MAKE) --no-print-directory modules-$(KERNEL)
	@scripts/vm --kernel $(KERNEL) --shell

.PHONY: test
test: kernels
	@tests/run

# Everything that runs in a guest, on the kernels for debugging
.PHONY: test-debug test-kcsan
test-debug test-kcsan: test-%: kernels
	@scripts/kernel/build.sh $*
	@tests/run --kernel $*

.PHONY: torture
torture: kernels
	@tests/torture/run --minutes $(MINUTES)

.PHONY: peers
peers: kernels
	@scripts/setup.sh peers
	@tests/peers/run

.PHONY: mutants
mutants: setup
	@tests/mutants/run $(ONLY)

.PHONY: bench
bench: setup
	@tests/bench/run

.PHONY: check
check: kernels
	@scripts/check.sh

.PHONY: fmt
fmt: setup
	@. scripts/toolchain.sh && find rust tests -name '*.rs' -exec rustfmt {} +

# Afresh, so that all is compiled and every warning seen each time
.PHONY: clippy
clippy:
	@rm -rf $(build)/clippy
	@. scripts/toolchain.sh && require_llvm && \
	tree=$$(scripts/kernel/build.sh --path patched) && \
	$(kbuild) -C "$$tree" MO="$(build)/clippy" CLIPPY=1 \
		ZERO_PAGE_MODULES="zero_page zero_page_kunit" modules

# Needs no kernel, and takes what a build without MO= left among the sources, too.
.PHONY: clean
clean:
	@rm -rf $(build)
	@find . -name .git -prune -o -type f \( -name '*.o' -o -name '*.ko' -o -name '*.mod' \
		-o -name '*.mod.c' -o -name '*.rmeta' -o -name '.*.cmd' -o -name '.*.d' \
		-o -name Module.symvers -o -name modules.order -o -name rust-project.json \) \
		-exec rm -f {} +
	@find . -name __pycache__ -prune -exec rm -rf {} +

.PHONY: help
help:
	@echo 'Main targets (each does all setup itself):'
	@echo '  run              demonstrate zero_page in QEMU, against a stock kernel'
	@echo '  test             run all tests: static checks, KUnit and guest tests'
	@echo '  test-debug       run the guest tests on a kernel with KASAN, lockdep and more (slow)'
	@echo '  test-kcsan       run the guest tests on a kernel that detects data races (slow)'
	@echo '  torture          use memory in every way for MINUTES=60, in guests of all kinds'
	@echo '  peers            selftests/mm and stress-ng, compared with the stock kernel (an hour)'
	@echo '  mutants          break the code in 42 places and see a test fail for each (half an'
	@echo '                   hour); ONLY=04-pg-zero, say, for those with that in their name'
	@echo '  bench            measure costs and benefits, in QEMU and user-mode Linux'
	@echo '  shell            a shell in the guest, with the module loaded; KERNEL=debug for'
	@echo '                   a kernel with KASAN, lockdep and more, or another'
	@echo 'The series:'
	@echo '  tree             make a git tree of the kernel with the series, or update it'
	@echo '  patches          write what was committed there back to patches/'
	@echo '  topic            write the mails of TOPIC=02-swapin, say, for git send-email'
	@echo '  each-patch       compile, check and boot it patch by patch (hours); TOPIC=04 for one'
	@echo 'The module:'
	@echo '  all              build it for KDIR=<tree> (default: our patched kernel)'
	@echo '  install          install it for that kernel, as modules_install does'
	@echo '  clean            remove everything that was built here'
	@echo 'Parts:'
	@echo '  setup            install packages and tools'
	@echo '  kernels          build the stock and the patched kernel'
	@echo '  modules-KERNEL   build the modules that guests load, in build/modules/KERNEL'
	@echo '  programs         build the programs that guests run'
	@echo '  check            format, clippy, checkpatch, patches, documentation'
	@echo '  fmt, clippy      format the Rust code; lint it'
	@echo 'Variables:'
	@echo '  KERNEL_SRC=      tree or tarball of Linux 7.3.y to use'
	@echo '  KERNEL_TREE=     where the git tree of the kernel is (linux/ in the cache)'
	@echo '  ZERO_PAGE_CACHE= where everything that is built is kept (~/.cache/zero_page)'
