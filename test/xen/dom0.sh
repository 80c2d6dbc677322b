#!/bin/sh
# The first process of domain 0: starts what a Xen host has, then the tests, and ends the machine.
export PATH=/sbin:/bin LD_LIBRARY_PATH=/usr/lib
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts && mount -t devpts devpts /dev/pts
for module in xen-privcmd xenfs xen-evtchn xen-gntdev xen-gntalloc; do insmod "/lib/modules/$module.ko"; done
mount -t xenfs xenfs /proc/xen

xenstored --pid-file /run/xenstored.pid
until xenstore read / >/dev/null 2>&1; do sleep 0.05; done
xen-init-dom0 >/dev/null
xenconsoled --log=guest --pid-file=/run/xenconsoled.pid

. /etc/tests.sh
poweroff -f
