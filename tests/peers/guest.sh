#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs tests of other projects in a guest, see tests/peers/run:
#
#	guest.sh KERNEL selftests DIRECTORY CATEGORY...
#	guest.sh KERNEL stress-ng STRESSOR...
#
# On the patched kernel, zero_page zeroes freed memory meanwhile, and pages marked
# as zero are verified. Exit status: 1 if one was not zero, otherwise 0, whatever
# the results of the tests.

kernel=$1 what=$2
shift 2

counter() { awk -v name="$1" '$1 == name { print $2 }' /proc/vmstat; }

# A command that does not end in time is terminated with all its children.
limited() { setsid --wait timeout --kill-after 10 "$@"; }

# Some tests swap memory out.
echo 512M >/sys/block/zram0/disksize
mkswap /dev/zram0 >/dev/null && swapon /dev/zram0 || exit

if [ "$kernel" = patched ]; then
	insmod "$ZERO_PAGE_MODULES/zero_page.ko" enabled=1 delay_millisecs=5 batch_size=0 verify=1 || exit
fi

case $what in
selftests)
	# Their files are mapped, which is not possible with files served by the host.
	cp -r "$1" /run/selftests && cd /run/selftests || exit
	shift
	for category in "$@"; do
		echo "# category $category"
		limited 1800 ./run_vmtests.sh -t "$category" 2>&1
		echo "# ended $?"
	done
	;;
stress-ng)
	echo "KTAP version 1"
	echo "1..$#"
	number=0
	for stressor in "$@"; do
		limited 120 stress-ng --"$stressor" 2 --vm-bytes 40% --verify --timeout 8 \
			--temp-path /tmp --oomable --quiet 2>&1
		status=$?
		number=$((number + 1))
		case $status in
		0) echo "ok $number $stressor" ;;
		# No resources, not implemented
		3 | 4) echo "ok $number $stressor # SKIP status $status" ;;
		*) echo "not ok $number $stressor # exit=$status" ;;
		esac
	done
	;;
esac

[ "$kernel" = patched ] || exit 0
for name in prezero_zeroed prezero_hit prezero_verified prezero_not_zero; do
	echo "# vmstat.$name $(counter $name)"
done
[ "$(counter prezero_not_zero)" = 0 ]
