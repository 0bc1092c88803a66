#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Runs test files one after the other, each under a line that names it:
#
#	scripts/vm --no-module -- tests/guest/run.sh FILE...
#
# The results are in the output of each file. A file that takes longer than six
# minutes, $TIMEOUT_SCALE times as long on a slow kernel, is terminated.

cd "$(dirname "$0")" || exit
# The guest must not write to the source tree.
export PYTHONDONTWRITEBYTECODE=1

seconds=$((360 * ${TIMEOUT_SCALE:-1}))
for file in "$@"; do
	echo "# file $file"
	timeout $seconds "./$file" 2>&1
	[ $? != 124 ] || echo "# $file: still running after $seconds s, ended"
done
