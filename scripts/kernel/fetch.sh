#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Finds the kernel source and prints one line of three fields separated by
# tabs: its version, a name for exactly this source, and its path (a tree or a
# tarball).  Looked for, in this order:
#
#   KERNEL_SRC=     a tree (git clone or unpacked tarball) or tarball of 7.3.y
#   Debian          the package linux-source-7.3 of trixie-backports
#   kernel.org      the tarball of KERNEL_VERSION (below)
#
# What was downloaded is used again; --cached downloads nothing.
set -eu -o pipefail
# shellcheck source=scripts/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"
# shellcheck source=scripts/lib/apt.sh
. "$(dirname "$0")/../lib/apt.sh"

series=7.3
kernel_version=${KERNEL_VERSION:-7.3.4}
suite=trixie-backports
package=linux-source-$series
download=$cache/download
# The last download, as the line that is printed.
record=$download/kernel

# check_version VERSION WHERE: accepts only the kernel series the patches are for.
check_version() {
	case $1 in
	"$series".*-rc* | "$series"-rc*) ;;
	"$series" | "$series".*) return ;;
	esac
	die "expected Linux $series.y, found ${1:-no kernel} in $2: point KERNEL_SRC at a tree or tarball of $series.y, or unset it"
}

# makefile_version: the version in a kernel's top Makefile on stdin.
makefile_version() {
	awk -F ' *= *' '
		NR > 10 { exit }
		/^(VERSION|PATCHLEVEL|SUBLEVEL|EXTRAVERSION) *=/ { part[$1] = $2 }
		END {
			if (part["VERSION"] != "")
				print part["VERSION"] "." part["PATCHLEVEL"] "." part["SUBLEVEL"] part["EXTRAVERSION"]
		}'
}

# tarball_version FILE: read once per file, it takes seconds.
tarball_version() {
	local known
	known=$download/version-$(stat -c '%n %s %Y' -- "$1" | sha256sum | cut -c 1-16)
	if [ ! -s "$known" ]; then
		mkdir -p "$download"
		# tar fails when awk exits early.
		{ tar --wildcards --no-wildcards-match-slash --occurrence=1 \
			-xOf "$1" '*/Makefile' 2>/dev/null || true; } | makefile_version >"$known"
	fi
	cat "$known"
}

# print_source VERSION NAME PATH
print_source() {
	check_version "$1" "$3"
	printf '%s\t%s\t%s\n' "$1" "$2" "$3"
}

from_user() {
	local src version name
	src=$(realpath -e -- "$KERNEL_SRC" 2>/dev/null) ||
		die "KERNEL_SRC=$KERNEL_SRC does not exist: point it at a tree or tarball of Linux $series.y"
	if [ -f "$src" ]; then
		version=$(tarball_version "$src")
		name=$(stat -c '%n %s %Y' -- "$src")
	elif [ -e "$src/.git" ]; then
		name=$(git -c safe.directory='*' -C "$src" rev-parse HEAD) ||
			die "KERNEL_SRC=$KERNEL_SRC: git finds no commit there: give a complete clone"
		version=$(git -c safe.directory='*' -C "$src" show "$name:Makefile" 2>/dev/null | makefile_version)
	else
		version=$(cat "$src/Makefile" 2>/dev/null | makefile_version) || version=
		name=$(stat -c '%n %Y' -- "$src/Makefile" 2>/dev/null) || name=$src
	fi
	print_source "$version" "$name" "$src"
}

# private_apt COMMAND [ARG...]: apt-get with lists, cache and sources of our
# own; only its way to the network (proxies) is the user's.
private_apt() {
	local apt=$download/apt
	apt-get -q \
		-o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null \
		-o Dir::State::Lists="$apt/lists" -o Dir::Cache="$apt/cache" \
		-o APT::Default-Release= -o APT::Sandbox::User="$(id -un)" "$@"
}

# fetch_debian_package: leaves the newest package in the apt directory.
fetch_debian_package() {
	private_apt update -o APT::Update::Error-Mode=any &&
		cd "$download/apt" && private_apt download "$package"
}

# try_download WHAT LOG COMMAND...: like run_logged, but may fail.
try_download() (
	run_logged "$1" "$2" 0 "${@:3}"
)

from_debian() {
	local apt=$download/apt deb version tarball
	command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 1
	mkdir -p "$apt"/{lists/partial,cache/archives/partial}
	debian_source "$suite" >"$apt/sources.list" || return 1
	rm -f "$apt/$package"_*.deb
	try_download "fetching $package from Debian's $suite" "$log_dir/fetch-debian.log" \
		fetch_debian_package || return 1
	deb=$(echo "$apt/$package"_*.deb)
	version=$(dpkg-deb -f "$deb" Version) || return 1
	tarball=$download/$package-$version.tar.xz
	dpkg-deb --fsys-tarfile "$deb" | tar -xOf - "./usr/src/$package.tar.xz" >"$tarball.part" || return 1
	mv "$tarball.part" "$tarball"
	rm -f "$deb"
	print_source "$(tarball_version "$tarball")" "debian $version" "$tarball"
}

from_kernel_org() {
	local url=https://cdn.kernel.org/pub/linux/kernel/v7.x/linux-$kernel_version.tar.xz
	local tarball=$download/linux-$kernel_version.tar.xz
	check_version "$kernel_version" "KERNEL_VERSION"
	command -v curl >/dev/null || return 1
	try_download "fetching $url" "$log_dir/fetch-kernel.org.log" \
		curl --fail --location --silent --show-error --connect-timeout 30 --retry 2 \
		--output "$tarball.part" "$url" || return 1
	mv "$tarball.part" "$tarball"
	print_source "$(tarball_version "$tarball")" "kernel.org $kernel_version" "$tarball"
}

# recorded: the last download, if it is still there.
recorded() {
	[ -s "$record" ] && [ -s "$(cut -f 3 "$record")" ] && cat "$record"
}

# fetch: the newest source that can be downloaded.
fetch() {
	local line
	mkdir -p "$download"
	line=$(from_debian) || line=$(from_kernel_org) ||
		die "no source of Linux $series.y: Debian's $package ($suite) and kernel.org's linux-$kernel_version could not be fetched (see above): check the network, or give a tree or tarball with KERNEL_SRC="
	printf '%s\n' "$line" >"$record"
	printf '%s\n' "$line"
}

if [ -n "${KERNEL_SRC-}" ]; then
	from_user
elif ! recorded; then
	[ "${1-}" != --cached ] || die "no kernel was fetched yet: run make tree"
	fetch
fi
