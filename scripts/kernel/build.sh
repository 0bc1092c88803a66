#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Builds a guest kernel, or brings it up to date:
#
#   scripts/kernel/build.sh stock      Linux as it is, configs/guest.config
#   scripts/kernel/build.sh patched    the tree of the series, configs/patched.config, Rust
#   scripts/kernel/build.sh debug      the same with configs/debug.config
#   scripts/kernel/build.sh kcsan      the same with configs/kcsan.config
#   scripts/kernel/build.sh uml-stock, uml-patched
#       the same as user-mode Linux, configs/uml.config instead of guest.config
#   scripts/kernel/build.sh --path NAME
#       builds nothing, prints the directory that has what was built
#
# The source is the git tree that scripts/kernel/tree keeps, as it is: with what
# has been changed there, committed or not.  What is built goes to build-<name>/
# in it and stays, so that make builds only what a change requires.  A key for
# the source, the configuration and the toolchain shows whether the build is
# up to date.
set -eu -o pipefail
scripts=$(dirname "$0")/..
# shellcheck source=scripts/toolchain.sh
. "$scripts/toolchain.sh"
# shellcheck source=scripts/lib/tree.sh
. "$scripts/lib/tree.sh"
# The kernel's make must not see the flags and variables of the make above it.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

usage="usage: scripts/kernel/build.sh [--path] stock|patched|debug|kcsan|uml-stock|uml-patched"
only_path=
if [ "${1-}" = --path ]; then
	only_path=1
	shift
fi
name=${1-}

configs=$root/scripts/kernel/configs
fragments=("$configs/guest.config")
targets=(bzImage modules)
rust=
source=$stock
# Lines of output of a build from nothing, for the progress shown.
expected_lines=1850
case $name in
stock | patched | debug | kcsan) ;;
uml-stock | uml-patched)
	fragments=("$configs/uml.config")
	targets=(linux modules)
	expected_lines=1080
	export ARCH=um
	;;
*)
	die "$usage"
	;;
esac
if [[ $name != *stock ]]; then
	fragments+=("$configs/patched.config")
	rust=rust
	source=$tree
	expected_lines=$((expected_lines + 100))
fi
[[ $name != debug && $name != kcsan ]] || fragments+=("$configs/$name.config")
[[ $name != debug ]] || targets+=(scripts_gdb)
objects=$source/build-$name
stamp=$objects/.zero_page-built

# key: a hash of everything this kernel is built from.
key() {
	{
		"$scripts/kernel/tree" state "$source"
		toolchain_versions $rust
		cat "${fragments[@]}"
	} | sha256sum | cut -c 1-16
}

# LOCALVERSION: or else a tree that is in git adds a + to the version.
kernel_make() {
	make -C "$source" O="$objects" LOCALVERSION= "$@"
}

# configure: allnoconfig with our fragments.  Kconfig silently drops options that
# it does not know or cannot enable (CONFIG_RUST without a toolchain), so every
# line is checked afterwards.
configure() {
	local lost config=$objects/.config
	cat "${fragments[@]}" >"$objects/.zero_page.config"
	[ ! -e "$config" ] || cp -p "$config" "$config.was"
	KCONFIG_ALLCONFIG=$objects/.zero_page.config kernel_make allnoconfig \
		>"$log_dir/config-$name.log" 2>&1 </dev/null ||
		die "configuring the $name kernel failed: see $log_dir/config-$name.log"
	if ! lost=$(lost_options); then
		[ -z "$rust" ] || require_rust "$source" "$objects"
		rm -f "$config"
		die "these options of $(printf '%s ' "${fragments[@]#"$root/"}")did not make it into $source's .config: ${lost//$'\n'/ }"
	fi
	# Keep the time of an unchanged .config, or make would check everything again.
	! cmp -s "$config" "$config.was" || mv "$config.was" "$config"
}

# lost_options: prints the options of our fragments .config does not have; fails if any.
lost_options() {
	awk '
		/^# CONFIG_[A-Z0-9_]+ is not set/ { option = $2; value = "n" }
		/^CONFIG_/ { i = index($0, "="); option = substr($0, 1, i - 1); value = substr($0, i + 1) }
		!option { next }
		FILENAME == ARGV[ARGC - 1] { got[option] = value }
		FILENAME != ARGV[ARGC - 1] { want[option] = value }
		{ option = "" }
		END {
			for (option in want) {
				found = option in got ? got[option] : "n"
				if (found != want[option]) {
					print option "=" want[option]
					lost = 1
				}
			}
			exit lost
		}' "${fragments[@]}" "$objects/.config"
}

# keep_toolchain: objects built by another toolchain are useless, and make does
# not notice every difference.
keep_toolchain() {
	local versions
	versions=$(toolchain_versions $rust)
	if [ -d "$objects" ] && [ "$versions" != "$(cat "$objects/.zero_page.toolchain" 2>/dev/null)" ]; then
		say "another toolchain: building the $name kernel from nothing"
		rm -rf "$objects"
	fi
	mkdir -p "$objects"
	printf '%s\n' "$versions" >"$objects/.zero_page.toolchain"
}

build() {
	local now lines=0
	require_llvm
	[ -z "$rust" ] || command -v rustc bindgen >/dev/null ||
		die "no rustc and bindgen in $PATH: run scripts/setup.sh"
	if [ -n "$rust" ]; then
		"$scripts/kernel/tree" import
	else
		"$scripts/kernel/tree" stock
	fi
	now=$(key)
	[ "$now" != "$(cat "$stamp" 2>/dev/null)" ] || return 0
	lock "the $name kernel"
	mkdir -p "$log_dir"
	keep_toolchain
	rm -f "$stamp"
	[ -z "$rust" ] || require_rust "$source" "$objects"
	configure
	[ -e "$objects/vmlinux" ] || lines=$expected_lines
	run_logged "building the $name kernel in $objects" "$log_dir/build-$name.log" \
		"$lines" kernel_make -j"$(nproc)" "${targets[@]}"
	# If the source was changed meanwhile, the state of the build is unknown.
	[ "$now" = "$(key)" ] ||
		die "$source was changed while the $name kernel was built: build it again"
	printf '%s\n' "$now" >"$stamp"
}

if [ -n "$only_path" ]; then
	[ -z "$rust" ] || "$scripts/kernel/tree" current
	[ -s "$stamp" ] && [ "$(cat "$stamp")" = "$(key)" ] ||
		die "the $name kernel is not built, or older than its source, configuration or toolchain: run scripts/kernel/build.sh $name"
	printf '%s\n' "$objects"
else
	build
fi
