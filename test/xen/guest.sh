#!/bin/sh
# The first process of a guest: it does what domain 0 has it do.
export PATH=/sbin:/bin LD_LIBRARY_PATH=/usr/lib
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for module in xen-evtchn xen-gntdev xen-gntalloc; do insmod "/lib/modules/$module.ko"; done
exec peer agent
