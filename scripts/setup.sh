#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Installs what `make run` and `make test` need: Debian packages, and in the
# cache bindgen (where Debian's is too old) and virtme-ng.  Quick and silent
# when everything is there.  `scripts/setup.sh peers` is for `make peers` as well.
set -eu -o pipefail
# shellcheck source=scripts/lib/common.sh
. "$(dirname "$0")/lib/common.sh"
# shellcheck source=scripts/lib/apt.sh
. "$(dirname "$0")/lib/apt.sh"

bindgen_version=0.72.1
virtme_version=1.42

common_packages=(
	bc bison flex make gcc libc6-dev libelf-dev libssl-dev cpio kmod
	clang-19 lld-19 llvm-19 libclang-19-dev ccache
	git patch xz-utils perl codespell shellcheck
	curl ca-certificates debian-archive-keyring
	python3 python3-venv qemu-system-x86 busybox-static
)
[ "${1-}" != peers ] || common_packages+=(libcap-dev libnuma-dev pkg-config rsync stress-ng)

# --no-remove: fail rather than remove a toolchain that is in use.
apt_install=(apt-get install -y --no-remove --no-install-recommends)

# packages: prints the packages of this Debian release, none elsewhere.
packages() {
	local ID='' VERSION_ID=''
	# shellcheck disable=SC1091 # not a file of ours
	. /etc/os-release
	[ "$ID" = debian ] || return 0
	printf '%s\n' "${common_packages[@]}"
	# Debian 12's rustc is too old for the kernel; rustc-web is the newer one
	# it keeps for browsers.
	if [ "$VERSION_ID" = 12 ]; then
		printf '%s\n' rustc-web rust-web-src rust-web-clippy rustfmt-web cargo-web
	else
		printf '%s\n' rustc rust-src rust-clippy rustfmt bindgen
	fi
}

# missing_packages: prints those of them that are not installed.
missing_packages() {
	local wanted
	mapfile -t wanted < <(packages)
	((${#wanted[@]})) || return 0
	# dpkg-query prints nothing about packages it has never heard of.
	comm -23 <(printf '%s\n' "${wanted[@]}" | sort) \
		<(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null |
			sed -n 's/^installed //p' | sort -u)
}

install_packages() {
	local missing
	mapfile -t missing < <(missing_packages)
	((${#missing[@]})) || return 0
	[ "$(id -u)" = 0 ] ||
		die "packages are missing; as root run: apt-get update && apt-get install --no-install-recommends ${missing[*]}"
	export DEBIAN_FRONTEND=noninteractive
	run_logged "reading the package lists" "$log_dir/apt-update.log" 0 apt-get update
	if [[ " ${missing[*]} " = *" qemu-system-x86 "* ]] && ! can_install qemu-system-x86; then
		run_logged "installing qemu-system-x86 from Debian's backports" "$log_dir/apt-qemu.log" 0 \
			install_from_backports qemu-system-x86
		mapfile -t missing < <(missing_packages)
		((${#missing[@]})) || return 0
	fi
	run_logged "installing ${missing[*]}" "$log_dir/apt-install.log" 0 \
		"${apt_install[@]}" "${missing[@]}"
}

# can_install PACKAGE: whether the machine's own sources have it and nothing
# prevents its installation.
can_install() {
	"${apt_install[@]}" --simulate "$1" >/dev/null 2>&1
}

# install_from_backports PACKAGE: where another package is from the release's
# backports, the release's own may conflict with it, as its QEMU does with their
# qemu-utils.  The machine's sources stay as they are.
install_from_backports() {
	local VERSION_CODENAME='' apt=$cache/apt options
	# shellcheck disable=SC1091 # not a file of ours
	. /etc/os-release
	mkdir -p "$apt/lists/partial"
	cat /etc/apt/sources.list >"$apt/sources.list" 2>/dev/null || :
	debian_source "$VERSION_CODENAME-backports" >>"$apt/sources.list" || return
	options=(-o "Dir::Etc::SourceList=$apt/sources.list" -o "Dir::State::Lists=$apt/lists")
	apt-get update "${options[@]}" &&
		"${apt_install[@]}" "${options[@]}" -t "$VERSION_CODENAME-backports" "$1"
}

# install_bindgen: only where the distribution has none.
install_bindgen() {
	local dir=$cache/tools/bindgen
	[ ! -x /usr/bin/bindgen ] || return 0
	[ "$("$dir/bin/bindgen" --version 2>/dev/null)" != "bindgen $bindgen_version" ] || return 0
	[ -x /usr/bin/cargo ] ||
		die "neither /usr/bin/bindgen nor /usr/bin/cargo to build it: install bindgen $bindgen_version"
	run_logged "building bindgen $bindgen_version" "$log_dir/bindgen.log" 54 \
		env -u RUSTFLAGS -u RUSTUP_TOOLCHAIN PATH=/usr/bin:/bin CARGO_TARGET_DIR="$dir/target" \
		/usr/bin/cargo install --locked --force --root "$dir" --version "$bindgen_version" bindgen-cli
	rm -rf "$dir/target"
}

install_virtme() {
	local venv=$cache/tools/venv stamp=$cache/tools/venv/virtme-ng-$virtme_version
	[ ! -e "$stamp" ] || return 0
	rm -rf "$venv"
	# shellcheck disable=SC2016 # for the inner shell
	# /usr/bin's: another python3 on PATH may vanish or change under us.
	run_logged "installing virtme-ng $virtme_version" "$log_dir/virtme-ng.log" 0 bash -c '
		/usr/bin/python3 -m venv "$1" &&
		"$1/bin/python3" -m pip --disable-pip-version-check install "virtme-ng==$2"' \
		- "$venv" "$virtme_version"
	touch "$stamp"
}

[ "$(uname -m)" = x86_64 ] || die "this is a $(uname -m) machine; the guest and its kernels are x86_64 only"
mkdir -p "$cache/tools"
lock setup
install_packages
install_bindgen
install_virtme
