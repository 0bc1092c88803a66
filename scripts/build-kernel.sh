#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Builds a guest kernel in the cache, unless it is there already:
#
#   scripts/build-kernel.sh stock      Linux as it is, tests/guest.config
#   scripts/build-kernel.sh patched    with patches/, tests/kunitconfig and Rust
#   scripts/build-kernel.sh debug      the same with tests/debug.config
#   scripts/build-kernel.sh kcsan      the same with tests/kcsan.config
#   scripts/build-kernel.sh uml-stock, uml-patched
#       the same as user-mode Linux, tests/uml.config instead of guest.config
#   scripts/build-kernel.sh --path NAME
#       builds nothing, prints the tree of the built kernel
#
# The tree is $ZERO_PAGE_CACHE/kernel/<name>-<version>-<key>, built in place;
# key stands for all that decides what is built.  A build that was interrupted
# is taken up where it was.
set -eu -o pipefail
scripts=$(dirname "$0")
# shellcheck source=scripts/toolchain.sh
. "$scripts/toolchain.sh"
# The kernel's make must not see the flags and variables of the make above it.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

usage="usage: scripts/build-kernel.sh [--path] stock|patched|debug|kcsan|uml-stock|uml-patched"
only_path=
if [ "${1-}" = --path ]; then
	only_path=1
	shift
fi
name=${1-}

patches=$root/patches/linux-7.3
fragments=("$root/tests/guest.config")
image=bzImage
rust=
# Lines of output of a complete build, for the progress shown.
expected_lines=1900
case $name in
stock | patched | debug | kcsan) ;;
uml-stock | uml-patched)
	fragments=("$root/tests/uml.config")
	image=linux
	expected_lines=1080
	export ARCH=um
	;;
*)
	die "$usage"
	;;
esac
if [[ $name == *patched || $name == debug || $name == kcsan ]]; then
	fragments+=("$root/tests/kunitconfig")
	rust=rust
	expected_lines=$((expected_lines + 100))
fi
[[ $name != debug && $name != kcsan ]] || fragments+=("$root/tests/$name.config")

# series: the patches of this kernel in their order.
series() {
	[ -n "$rust" ] && [ -f "$patches/series" ] || return 0
	sed -E 's/(^|[[:space:]]+)#.*//; s/[[:space:]]+-p1$//; /^[[:space:]]*$/d' "$patches/series"
}

# key SOURCE: what this kernel is made of, as a few hex digits.
key() {
	{
		printf '%s\n' "$1"
		toolchain_versions $rust
		cat "${fragments[@]}"
		series | (cd "$patches" 2>/dev/null && xargs -r -d '\n' cat --)
	} | sha256sum | cut -c 1-12
}

# unpack SOURCE TREE: a clean copy of the source.
unpack() {
	if [ -f "$1" ]; then
		tar -C "$2" --strip-components=1 -xf "$1"
	elif [ -e "$1/.git" ]; then
		git -c safe.directory='*' -C "$1" archive HEAD | tar -C "$2" -xf -
	else
		cp -a --reflink=auto "$1/." "$2" && make -C "$2" mrproper
	fi
}

# apply_patches TREE
apply_patches() {
	local patch words count=0
	while read -r patch; do
		[ -f "$patches/$patch" ] || die "patches/linux-7.3/series names $patch, which does not exist"
		# Fuzz means the context has changed: somebody has to look.
		words=$(patch -d "$1" -p1 --fuzz=0 --force --no-backup-if-mismatch <"$patches/$patch" 2>&1) || {
			grep -E 'FAILED|ignored|fuzz|find file' <<<"$words" | sed 's/^/  | /' >&2
			die "$patch does not apply to Linux $version without fuzz ($source): give the kernel it was made for (KERNEL_SRC=) or refresh the patch"
		}
		count=$((count + 1))
	done < <(series)
	say "$count patches applied"
}

# make_tree: the patched source; under its name only when it is complete.
make_tree() {
	[ ! -d "$tree" ] || return 0
	rm -rf "$tree.part"
	mkdir -p "$tree.part"
	run_logged "unpacking Linux $version for the $name kernel" "$log_dir/unpack-$name.log" 0 \
		unpack "$source" "$tree.part"
	[ -z "$rust" ] || apply_patches "$tree.part"
	mv "$tree.part" "$tree"
}

# configure: allnoconfig with our fragments.  Kconfig drops in silence what it
# does not know or cannot have (CONFIG_RUST without a toolchain), so every line
# is looked for afterwards.
configure() {
	local lost
	# A build that is taken up again keeps its .config, and with it its objects.
	[ ! -e "$tree/.config" ] || ! lost_options >/dev/null || return 0
	cat "${fragments[@]}" >"$tree/.zero_page.config"
	KCONFIG_ALLCONFIG=$tree/.zero_page.config make -C "$tree" allnoconfig \
		>"$log_dir/config-$name.log" 2>&1 </dev/null ||
		die "configuring the $name kernel failed: see $log_dir/config-$name.log"
	lost=$(lost_options) && return
	[ -z "$rust" ] || require_rust "$tree"
	rm -f "$tree/.config"
	die "these options of $(printf '%s ' "${fragments[@]#"$root/"}")did not make it into Linux $version's .config: ${lost//$'\n'/ }"
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
		}' "${fragments[@]}" "$tree/.config"
}

# prune: of the older trees of this name the newest one stays, for going back
# and forth between two states of the patches.
prune() {
	local old
	find "$cache/kernel" -maxdepth 1 -name "$name-*" ! -path "$tree" -printf '%T@ %p\n' |
		sort -rn | tail -n +2 | cut -d ' ' -f 2- |
		while read -r old; do
			say "removing the old $old"
			rm -rf "$old"
		done
}

build() {
	require_llvm
	[ -z "$rust" ] || command -v rustc bindgen >/dev/null ||
		die "no rustc and bindgen in $PATH: run scripts/setup.sh"
	lock "the $name kernel"
	[ ! -e "$stamp" ] || return 0
	mkdir -p "$log_dir" "$cache/kernel"
	prune
	make_tree
	[ -z "$rust" ] || require_rust "$tree"
	configure
	run_logged "building the $name kernel, Linux $version, in $tree" "$log_dir/build-$name.log" \
		"$expected_lines" make -C "$tree" -j"$(nproc)" "$image" modules
	touch "$stamp"
}

mode=
[ -z "$only_path" ] || mode=--cached
line=$("$scripts/fetch-kernel.sh" $mode)
IFS=$'\t' read -r version identity source <<<"$line"
tree=$cache/kernel/$name-$version-$(key "$identity")
stamp=$tree/.zero_page-built

if [ -n "$only_path" ]; then
	[ -e "$stamp" ] || die "the $name kernel is not built (or older than its patches, configuration or toolchain): run 'make kernels'"
	# The newest in use is the last to be pruned.
	touch -c "$tree" 2>/dev/null || true
	printf '%s\n' "$tree"
else
	[ -e "$stamp" ] || build
fi
