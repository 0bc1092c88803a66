# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced by scripts that run the kernel's checkpatch.  They have set $scratch, a
# directory of their own.
# shellcheck disable=SC2154

# checkpatch SOURCE [ARG...]: runs that of a kernel's source where it may leave a
# file, in $scratch.  Camel case is what the kernel's page flag functions are
# named in, and the tree has no history to look up a commit in; IGNORE has more
# types.
checkpatch() {
	(cd "$scratch" && perl "$1/scripts/checkpatch.pl" --root="$1" --strict --codespell \
		--show-types --ignore "CAMELCASE,UNKNOWN_COMMIT_ID${IGNORE:+,$IGNORE}" --quiet "${@:2}")
}

# checkpatch_patch SOURCE FILE: from stdin, since checkpatch takes a file that is
# in git for a source.  The sender of a patch signs it, not this repository.
checkpatch_patch() {
	local IGNORE=
	# Trace events have a layout of their own.
	! grep -q '^+++ b/include/trace/events/' "$2" ||
		IGNORE=PARENTHESIS_ALIGNMENT,OPEN_ENDED_LINE
	checkpatch "$1" --no-signoff - <"$2"
}
