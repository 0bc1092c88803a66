#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Checks everything that can be checked without a guest: formatting, lints,
# licences, documentation, and that the patches are well-formed and apply.
# Prints KTAP; what a check that fails has to say stands above its line.
set -u -o pipefail
# shellcheck source=scripts/toolchain.sh
. "$(dirname "$0")/toolchain.sh"
cd "$root" || exit

patched=$(scripts/build-kernel.sh --path patched) || exit
stock=$(scripts/build-kernel.sh --path stock) || exit
# Its sources; built out of tree, the directory of the objects has a link to them.
source=$patched
[ ! -e "$patched/source" ] || source=$patched/source
patches=patches/linux-7.3
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The files of this repository, committed or about to be, one a line.
project_files() {
	git ls-files --cached --others --exclude-standard -- "$@" |
		while read -r file; do
			[ ! -f "$file" ] || printf '%s\n' "$file"
		done
}

# The patches in the order they apply in.
series() {
	sed -E 's/(^|[[:space:]])#.*//; s/[[:space:]]+-p1$//; /^[[:space:]]*$/d' "$patches/series"
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

# Runs the kernel's checkpatch, which leaves a file where it runs. Camel case is
# what the kernel's page flag functions are named in; IGNORE has more types.
checkpatch() {
	(cd "$scratch" && "$source/scripts/checkpatch.pl" --root="$source" --strict --codespell \
		--show-types --ignore "CAMELCASE,UNKNOWN_COMMIT_ID${IGNORE:+,$IGNORE}" --quiet "$@")
}

# From stdin: of a file that is in git, checkpatch believes it to be a source.
# Whoever sends a patch signs it, not this repository.
check_checkpatch_patches() {
	local patch failed=0
	while read -r patch; do
		local IGNORE=
		# Trace events have a layout of their own.
		! grep -q '^+++ b/include/trace/events/' "$patches/$patch" ||
			IGNORE=PARENTHESIS_ALIGNMENT,OPEN_ENDED_LINE
		checkpatch --no-signoff - <"$patches/$patch" || { echo "in $patch"; failed=1; }
	done < <(series)
	return "$failed"
}

check_checkpatch_sources() {
	local files
	mapfile -t files < <(project_files '*.rs' '*.c')
	checkpatch --no-tree -f "${files[@]/#/"$root/"}"
}

# The series names every patch there is, and each applies to a stock kernel,
# after those before it, exactly where it says.
check_patches_apply_without_fuzz() {
	local patch file failed=0
	diff <(series | sort) <(project_files "$patches/*.patch" | sed "s|^$patches/||" | sort) || return
	mkdir "$scratch/tree"
	while read -r file; do
		[ ! -f "$stock/$file" ] || (cd "$stock" && cp --parents "$file" "$scratch/tree")
	done < <(series | sed "s|^|$patches/|" | xargs -d '\n' sed -n 's|^+++ b/\([^[:space:]]*\).*|\1|p' | sort -u)
	while read -r patch; do
		patch -d "$scratch/tree" -p1 --fuzz=0 --force <"$patches/$patch" || failed=1
	done < <(series)
	return "$failed"
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

# Texts for readers, and formats that have no place for it, go without.
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

check_unpatched_kernel_is_refused_in_one_line() {
	local output
	output=$(make --no-print-directory KDIR="$stock" 2>&1) && { echo "builds for $stock"; return 1; }
	grep 'patches/linux-7.3' <<<"$output" && [ "$(wc -l <<<"$output")" -le 3 ] && return
	printf '%s\n' "$output"
	return 1
}

# Where patches quote the line of a function, they cut it off in the middle of a word.
check_spelling() {
	project_files ':!COPYING' | xargs -d '\n' codespell \
		--ignore-words-list=crate,extraversion,uptodate --ignore-regex='^@@ .*'
}

check_shellcheck() {
	shell_files | xargs -d '\n' shellcheck -x -S warning
	# To be sourced, so without a line that names the shell
	project_files scripts/toolchain.sh 'scripts/lib/*.sh' |
		xargs -d '\n' shellcheck -x -S warning -s bash
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

checks=(rustfmt clippy misuse_does_not_compile checkpatch_patches checkpatch_sources patches_apply_without_fuzz
	abi_documentation spdx_lines unsafe_only_in_abstractions
	unpatched_kernel_is_refused_in_one_line spelling shellcheck)
failed=0
echo "KTAP version 1"
echo "1..${#checks[@]}"
for ((i = 0; i < ${#checks[@]}; i++)); do
	run $((i + 1)) "${checks[i]}"
done
exit $failed
