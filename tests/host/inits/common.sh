# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
#
# Sourced by the inits of guests that have everything they need in memory, see
# tests/host/initramfs.py: file systems, counters, figures for the tests.

busybox mkdir -p /proc /sys /dev
busybox mount -t proc none /proc
busybox mount -t sysfs none /sys
busybox mount -t devtmpfs none /dev

argument() { busybox grep -qw "$1" /proc/cmdline; }
counter() { busybox awk -v name="$1" '$1 == name { print $2 }' /proc/vmstat; }
finish() { busybox poweroff -f; }

# tell KEY VALUE: reports a figure to the tests, see scripts/vmtest/results.py
tell() { echo "# $*"; }

percent_zeroed() { echo $(($(counter nr_free_prezeroed) * 100 / $(counter nr_free_pages))); }

# Most of the free memory, in MiB
most() { echo $(($(counter nr_free_pages) / 256 * 7 / 10)); }

# settle: waits until hardly any more memory is zeroed, five minutes at most
settle() {
	last=-1000
	for _ in $(busybox seq 300); do
		now=$(counter nr_free_prezeroed)
		[ $((now - last)) -gt 256 ] || return
		last=$now
		busybox sleep 1
	done
}

# fill KIND: tells how many words of most of the memory are not zero
fill() {
	tell "nonzero_$1" "$(/fill "$(most)" "$1" scribble | busybox awk '$2 == "nonzero" { print $3 }')"
}

# zero_all: loads zero_page, and has used memory zeroed
zero_all() {
	busybox insmod /zero_page.ko enabled=1 delay_millisecs=20 batch_size=0
	/fill "$(most)" 4k scribble >/dev/null
	settle
}
