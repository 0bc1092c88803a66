# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced by the scripts that take packages from suites of Debian that this
# machine's sources do not name.

# debian_mirror: prints the one this machine uses, for a mirror may be all it
# reaches.
debian_mirror() {
	# shellcheck disable=SC2016 # for apt to expand
	# awk reads to the end: apt-get must not fail of a pipe closed early.
	apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
		awk '/\/debian\/$/ && !found++ { print } END { exit !found }'
}
