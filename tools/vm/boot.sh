#!/bin/bash
# What the virtual machine does once it sees the host's files: load modules, run the command, tell its status.
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts && mount -t devpts devpts /dev/pts
mount -t tmpfs run /run
mount -t cgroup2 cgroup /sys/fs/cgroup
mount -t 9p -o trans=virtio,version=9p2000.L,msize=1048576 exchange "$VM_EXCHANGE"
dmesg -n 1
# Otherwise each new namespace gets gre0, sit0 and others, as none has on a kernel without them.
echo 2 >/proc/sys/net/core/fb_tunnels_only_for_init_net
# shellcheck source=/dev/null
. "$VM_EXCHANGE/environment"
cd "$VM_EXCHANGE" || exit
while read -r module; do
  modprobe -d "$VM_KERNEL" "$module" 2>>"$VM_EXCHANGE/modules.log"
done <"$VM_SCRIPTS/modules.txt"
hostname vm
echo "$VM_STARTED"
bash "$VM_EXCHANGE/command" </dev/null
echo "$?" >"$VM_EXCHANGE/status"
sync
echo "$VM_ENDED"
echo o >/proc/sysrq-trigger
# The first process may not end before the machine does.
while :; do :; done
