#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Checks everything that can be checked without a guest: formatting, lints,
# licences, documentation, and that the patches are well-formed and apply.
# Prints KTAP; the output of a check that fails precedes its result line.
set -u -o pipefail
# shellcheck source=scripts/toolchain.sh
. "$(dirname "$0")/toolchain.sh"
# shellcheck source=scripts/lib/tree.sh
. "$(dirname "$0")/lib/tree.sh"
# shellcheck source=scripts/lib/checkpatch.sh
. "$(dirname "$0")/lib/checkpatch.sh"
cd "$root" || exit

patched=$(scripts/kernel/build.sh --path patched) || exit
stock=$(scripts/kernel/build.sh --path stock) || exit
# kbuild's link from the objects to the source
source=$patched/source
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The files of this repository, committed or about to be, one a line.
project_files() {
	git ls-files --cached --others --exclude-standard -- "$@" |
		while read -r file; do
			[ ! -f "$file" ] || printf '%s\n' "$file"
		done
}

# Shell scripts, whatever their names end in.
shell_files() {
	project_files | xargs -d '\n' awk 'FNR == 1 && /^#!\/bin\/(ba)?sh/ { print FILENAME }'
}

check_rustfmt() {
	project_files '*.rs' | xargs -d '\n' rustfmt --check
}

check_clippy() {
	make clippy >"$scratch/log" 2>&1
	local status=$?
	grep -E '^(warning|error)' -A 12 "$scratch/log" && return 1
	[ $status = 0 ] || tail -n 30 "$scratch/log"
	return $status
}

check_misuse_does_not_compile() {
	tests/misuse "$patched"
}

check_checkpatch_patches() {
	local patch failed=0
	while read -r patch; do
		checkpatch_patch "$source" "$patches/$patch" || { echo "in $patch"; failed=1; }
	done < <(series_patches)
	return "$failed"
}

check_checkpatch_sources() {
	local files
	mapfile -t files < <(project_files '*.rs' '*.c')
	checkpatch "$source" --no-tree -f "${files[@]/#/"$root/"}"
}

# The kernels were built from a tree that has just this series, each patch applied
# exactly where it says, and `make patches` would change nothing.
check_series_is_what_the_tree_has() {
	scripts/kernel/tree check
}

check_topics_need_only_what_they_depend_on() {
	scripts/kernel/tree topics
}

check_abi_documentation() {
	local output
	output=$("$source/tools/docs/get_abi.py" --dir "$root/Documentation/ABI" validate 2>&1) || {
		printf '%s\n' "$output"
		return 1
	}
	[ -z "$output" ] || { printf '%s\n' "$output"; return 1; }
	for file in mm/zero_page/{enabled,mini_order,batch_size,delay_millisecs,max_zeroed} \
		debug/zero_page/{blocks_{reported,failed},pages_{cleared,skipped},nanoseconds_clearing}; do
		grep -qx "What:[[:space:]]*/sys/kernel/$file" -r Documentation/ABI || {
			echo "Documentation/ABI says nothing about /sys/kernel/$file"
			return 1
		}
	done
}

# Texts for readers, and formats that have no place for it, are exempt.
check_spdx_lines() {
	local file failed=0
	while read -r file; do
		head -n 3 "$file" | grep -q 'SPDX-License-Identifier: GPL-2.0' || {
			echo "$file has no SPDX line"
			failed=1
		}
	done < <(project_files ':!COPYING' ':!*.md' ':!patches' ':!Documentation/ABI')
	return "$failed"
}

check_unsafe_only_in_abstractions() {
	local found
	found=$(grep -nw unsafe -r rust --include='*.rs' --exclude-dir=abstractions |
		grep -vE '^[^:]+:[0-9]+:[[:space:]]*(//|#!?\[)')
	[ -z "$found" ] || { printf '%s\n' "$found"; return 1; }
}

# As the README says, with nothing but KDIR=
check_module_is_built_for_a_patched_kernel() {
	rm -f zero_page.ko
	make --no-print-directory KDIR="$patched" >"$scratch/log" 2>&1 && [ -f zero_page.ko ] && return
	tail -n 30 "$scratch/log"
	return 1
}

check_unpatched_kernel_is_refused_in_one_line() {
	local output
	output=$(make --no-print-directory KDIR="$stock" 2>&1) && { echo "builds for $stock"; return 1; }
	grep 'patches/linux-7.3' <<<"$output" && [ "$(wc -l <<<"$output")" -le 3 ] && return
	printf '%s\n' "$output"
	return 1
}

# Hunk headers of patches may be cut off in the middle of a word.
check_spelling() {
	project_files ':!COPYING' | xargs -d '\n' codespell \
		--ignore-words-list=crate,extraversion,uptodate --ignore-regex='^@@ .*'
}

check_shellcheck() {
	local failed=0
	shell_files | xargs -d '\n' shellcheck -x -S warning || failed=1
	# To be sourced, so without a line that names the shell
	project_files scripts/toolchain.sh 'scripts/lib/*.sh' |
		xargs -d '\n' shellcheck -x -S warning -s bash || failed=1
	return "$failed"
}

# run NUMBER NAME: runs check_NAME and prints its result.
run() {
	local output result=ok
	if [ "$2" = shellcheck ] && ! command -v shellcheck >/dev/null; then
		echo "ok $1 $2 # SKIP shellcheck is not installed"
		return
	fi
	output=$("check_$2" 2>&1) || {
		printf '%s\n' "$output" | sed 's/^/# /'
		result="not ok"
		failed=1
	}
	echo "$result $1 $2"
}

checks=(rustfmt clippy misuse_does_not_compile checkpatch_patches checkpatch_sources series_is_what_the_tree_has
	topics_need_only_what_they_depend_on abi_documentation spdx_lines unsafe_only_in_abstractions
	module_is_built_for_a_patched_kernel unpatched_kernel_is_refused_in_one_line spelling shellcheck)
failed=0
echo "KTAP version 1"
echo "1..${#checks[@]}"
for ((i = 0; i < ${#checks[@]}; i++)); do
	run $((i + 1)) "${checks[i]}"
done
exit $failed
