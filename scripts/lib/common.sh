# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced by the set-up scripts: where things are, messages, long steps.
#
# Messages go to stderr: stdout is for what a script was asked to print.

# shellcheck disable=SC2034 # used by the scripts that source this file
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=$(realpath -m -- "${ZERO_PAGE_CACHE:-"${HOME:-/root}/.cache/zero_page"}")
log_dir=$cache/log

# say MESSAGE...: one line for the user.
say() {
	printf 'zero_page: %s\n' "$*" >&2
}

# die MESSAGE...: one line that says what was expected, found and what to do.
die() {
	say "error: $*"
	exit 1
}

# elapsed SECONDS: prints them as 1m02s.
elapsed() {
	printf '%dm%02ds' $(($1 / 60)) $(($1 % 60))
}

# lock NAME: holds the named lock until the script ends, so that two runs do
# not build the same thing at once.
lock() {
	mkdir -p "$cache/lock"
	exec 9>"$cache/lock/$1"
	flock -n 9 && return
	say "waiting for another run to finish $1"
	flock 9
}

# show_progress PID LOG EXPECTED: until PID ends, says how long it has run and,
# if EXPECTED lines of log are known beforehand, how far it is: on a terminal
# in one line that is updated, otherwise in a line a minute.
show_progress() {
	local pid=$1 log=$2 expected=$3 start=$SECONDS last=$SECONDS percent seen
	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.5
		percent=
		if ((expected > 0)); then
			seen=$(($(wc -l <"$log") * 100 / expected))
			percent="$((seen > 99 ? 99 : seen)) %, "
		fi
		if [ -t 2 ]; then
			printf '\r  %s%s ' "$percent" "$(elapsed $((SECONDS - start)))" >&2
		elif ((SECONDS - last >= 60)); then
			last=$SECONDS
			say "  $percent$(elapsed $((SECONDS - start)))"
		fi
	done
	if [ -t 2 ]; then
		printf '\r\033[K' >&2
	fi
}

# run_logged WHAT LOG EXPECTED COMMAND [ARG...]: runs a long step with its
# output in LOG and its progress on stderr.  Ends the script if it fails.
run_logged() {
	local what=$1 log=$2 expected=$3 start=$SECONDS pid
	shift 3
	mkdir -p "$(dirname "$log")"
	say "$what (log: $log)"
	"$@" >"$log" 2>&1 </dev/null &
	pid=$!
	# A background job ignores Ctrl-C: pass it on.
	trap 'kill "$pid" 2>/dev/null; wait "$pid" || true; die "interrupted: $what"' INT TERM HUP
	show_progress "$pid" "$log" "$expected"
	if ! wait "$pid"; then
		tail -n 20 "$log" | sed 's/^/  | /' >&2
		die "failed: $what (the lines above are the last of $log)"
	fi
	trap - INT TERM HUP
	say "  done in $(elapsed $((SECONDS - start)))"
}
