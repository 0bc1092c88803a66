# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced by scripts that build kernel code: puts the distribution's toolchain
# first.  Two toolchains must not mix: a kernel's Rust crates can be used only
# by the same rustc that built them, so a rustup toolchain, /usr/local and
# variables that redirect the build are kept out.
#
# Exports PATH, LLVM, LIBCLANG_PATH and the CCACHE_* settings.

# shellcheck source=scripts/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

unset ARCH CROSS_COMPILE KBUILD_OUTPUT O KCFLAGS KRUSTFLAGS RUSTFLAGS \
	RUSTUP_TOOLCHAIN RUSTC_WRAPPER RUSTC_BOOTSTRAP CARGO_BUILD_RUSTC

# 7.3 wants LLVM 15 or newer; 19 is in Debian 12 and 13 alike.
for version in 19 20 21 22; do
	if [ -x "/usr/bin/clang-$version" ] && [ -x "/usr/bin/ld.lld-$version" ]; then
		export LLVM=-$version
		export LIBCLANG_PATH=/usr/lib/llvm-$version/lib
		break
	fi
done
unset version

export PATH=$cache/tools/bindgen/bin:/usr/lib/ccache:/usr/sbin:/usr/bin:/sbin:/bin
# Depend mode: what a miss costs besides compiling is a seventh of it otherwise.
# The preprocessed source, which is not looked at then, hardly ever helped.
export CCACHE_DIR=$cache/ccache CCACHE_MAXSIZE=2G CCACHE_DEPEND=1

# toolchain_versions: one line per tool; a change of any means another kernel.
toolchain_versions() {
	"clang${LLVM-}" --version | head -n 1
	[ "${1-}" = rust ] || return 0
	rustc --version
	bindgen --version
}

# require_llvm: ends the script if no usable clang is there.
require_llvm() {
	[ -n "${LLVM-}" ] || die "no clang and lld of version 19 to 22 in /usr/bin: run scripts/setup.sh"
}

# require_rust SOURCE OBJECTS: the kernel's own check decides whether SOURCE can be
# built with Rust, and says why not.
require_rust() {
	local words
	words=$(make -C "$1" O="$2" rustavailable 2>&1 </dev/null) && return
	printf '%s\n' "$words" | sed 's/^/  | /' >&2
	die "the kernel finds no usable Rust toolchain ('make rustavailable', above): run scripts/setup.sh"
}

# require_built TREE: ends the script unless a module can be built for TREE.
# Kbuild asks for the configuration; here it is what modpost would complain of
# at length.
require_built() {
	[ -f "$1/Makefile" ] || die "KDIR=$1 is no kernel tree"
	[ -f "$1/Module.symvers" ] || die "KDIR=$1 has no Module.symvers: build that kernel first"
	grep -qw prezero_zero_pages "$1/Module.symvers" ||
		die "KDIR=$1 was built without prezero_zero_pages(): apply patches/linux-7.3/series, set CONFIG_PREZERO_PAGE and CONFIG_RUST, and build that kernel"
}
