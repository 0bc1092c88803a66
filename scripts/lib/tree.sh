# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced after common.sh by scripts that deal with the series: where it is.

# shellcheck disable=SC2034,SC2154 # root is in common.sh, these are for the scripts
patches=$root/patches/linux-7.3
# The git tree that has the series, see scripts/kernel/tree, and that of the
# stock kernel.
tree=$(realpath -m -- "${KERNEL_TREE:-"$cache/linux"}")
stock=$tree-stock

# series_patches: the patches in the order they apply in, relative to $patches.
series_patches() {
	sed -E 's/(^|[[:space:]]+)#.*//; s/[[:space:]]+-p1$//; /^[[:space:]]*$/d' "$patches/series"
}

# git_tree ARG...: git in the tree.  Hooks and signatures are for people's commits.
quiet_git=(-c core.hooksPath=/dev/null -c commit.gpgSign=false -c gc.auto=0)
git_tree() {
	git -C "$tree" "${quiet_git[@]}" "$@"
}

# is_cover COMMIT: whether it is the cover letter of a topic, an empty commit.
is_cover() {
	git_tree diff-tree --quiet "$1^" "$1"
}
