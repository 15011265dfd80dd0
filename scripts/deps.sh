#!/bin/sh
# scripts/deps.sh GROUP... - install the Debian packages that a group of targets needs
#
#   build   to compile        run   to record in Bochs
#   test    make check        long  make check-long
#   bench   make bench
#
# Uses apt-get, with sudo when not root. When neither can be used it prints the list and fails.
set -eu

build='gcc make libc6-dev binutils libzstd-dev liblzma-dev libcapstone-dev libelf-dev libdw-dev libncurses-dev'
run='bochs bochs-term bochsbios vgabios grub-pc-bin grub-common xorriso mtools'
test='libcmocka-dev clang clang-format cppcheck linux-headers-amd64 python3 busybox-static cpio xz-utils gdb lldb tmux zstd'
long='debootstrap qemu-system-x86 ovmf grub-efi-amd64-bin'
bench='babeltrace2 valgrind python3'

wanted=
for group in "$@"; do
	case $group in
	build) wanted="$wanted $build" ;;
	run) wanted="$wanted $run" ;;
	test) wanted="$wanted $test" ;;
	long) wanted="$wanted $long" ;;
	bench) wanted="$wanted $bench" ;;
	*) echo "deps.sh: unknown group '$group'; use build, run, test, long or bench" >&2; exit 2 ;;
	esac
done

if ! command -v dpkg-query >/dev/null; then
	echo "deps.sh: this is not a Debian; install what corresponds to:$wanted" >&2
	exit 0
fi

# Two groups may be asked for at once, and apt-get has one lock.
exec 9<"$0"
flock 9

missing=
for package in $wanted; do
	state=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || :)
	[ "$state" = 'install ok installed' ] || missing="$missing $package"
done
[ -z "$missing" ] && exit 0

if [ "$(id -u)" = 0 ]; then
	as_root=
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null || [ -t 0 ] && command -v sudo >/dev/null; then
	as_root=sudo
else
	echo "deps.sh: these packages are missing and neither root nor sudo is at hand:" >&2
	echo "  apt-get install$missing" >&2
	exit 1
fi

echo "deps.sh: installing$missing" >&2
as_root="$as_root env DEBIAN_FRONTEND=noninteractive"
$as_root apt-get update -q >/dev/null || echo 'deps.sh: apt-get update failed, trying with the lists at hand' >&2
# shellcheck disable=SC2086
$as_root apt-get install -q -y --no-install-recommends $missing >/dev/null || {
	echo "deps.sh: apt-get could not install:$missing" >&2
	exit 1
}
