# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced by the scripts that take packages from suites of Debian that this
# machine's sources do not name.

# debian_source SUITE: prints the line of a sources.list for SUITE, on the mirror
# this machine uses, for a mirror may be all it reaches.
debian_source() {
	local mirror
	# shellcheck disable=SC2016 # for apt to expand
	# awk reads to the end: apt-get must not fail of a pipe closed early.
	mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
		awk '/\/debian\/$/ && !found++ { print } END { exit !found }') ||
		{ say "apt's sources name no Debian mirror to take anything of $1 from"; return 1; }
	printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' \
		"$mirror" "$1"
}
