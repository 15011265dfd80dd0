#!/bin/busybox sh
# tests/guests/xen/init.sh - the only program of Xen's dom0: starts a guest, waits for its end, powers off
PATH=/bin:/usr/lib/xen-4.17/bin
export PATH

fail() {
	echo "xentest: failed: $*"
	poweroff -f
}

# A daemon says that it is ready by the file that it writes then.
wait_for() {
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		[ -e "$1" ] && return
		sleep 1
	done
	fail "no '$1' after 10 seconds"
}

/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
exec </dev/console >/dev/console 2>&1
mkdir -p /dev/pts
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /run
mkdir -p /run/xen /run/xenstored /run/lock
for module in xen-privcmd xen-evtchn xen-gntdev xen-gntalloc xenfs; do
	insmod "/modules/$module.ko" || fail "cannot load '$module'"
done
mount -t xenfs xenfs /proc/xen
echo 'xentest: dom0 is up'

xenstored --pid-file /run/xenstored.pid || fail 'xenstored does not start'
wait_for /run/xenstored.pid
xen-init-dom0 || fail 'xen-init-dom0 fails'
xenconsoled --pid-file=/run/xenconsoled.pid || fail 'xenconsoled does not start'
wait_for /run/xenconsoled.pid
echo 'xentest: starting the guest'
xl create -F /l2.cfg || fail "'xl create' ended with status $?"
echo 'xentest: passed'
poweroff -f
