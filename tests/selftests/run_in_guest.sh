#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Runs test files one after the other, each under a line that names it, which
# tests/run looks for:
#
#	scripts/vm --no-module -- tests/selftests/run_in_guest.sh FILE...
#
# How each went is in what it prints; a file that takes longer than six minutes,
# $SLOWER times as many on a kernel that is that much slower, is ended.

cd "$(dirname "$0")" || exit
# The guest must not write to the source tree.
export PYTHONDONTWRITEBYTECODE=1

seconds=$((360 * ${SLOWER:-1}))
for file in "$@"; do
	echo "# selftest: $file"
	timeout $seconds "./$file" 2>&1
	[ $? != 124 ] || echo "# $file: still running after $seconds s, ended"
done
