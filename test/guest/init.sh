#!/bin/sh
# Process 1 of a guest kernel. It sees this machine's files read-only: puts a layer in memory over them, mounts the one folder that both sides write, and
# then does what the first serial line asks. Parameters come from the kernel's command line: GUEST_FOLDER, GUEST_BUSYBOX, GUEST_MODULES (may be empty).
# A line N asks for the shell script ask/N; its output goes to ask/N.out, and `N STATUS` comes back when it has ended.
set -eu
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
unset TERM

fail() {
  echo "guest: $*" >/dev/ttyS0
  "$GUEST_BUSYBOX" poweroff -f
}

# Before the layer is there, no module can be looked up in /lib/modules: what the layer needs is loaded by its path.
into_layer() {
  mount -t proc proc /proc
  mount -t devtmpfs devtmpfs /dev 2>/dev/null || true
  mount -t tmpfs -o size=75% tmpfs /mnt
  mkdir /mnt/upper /mnt/work /mnt/root
  grep -qw overlay /proc/filesystems || "$GUEST_BUSYBOX" insmod "$GUEST_MODULES/kernel/fs/overlayfs/overlay.ko" || fail 'no module overlay'
  mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work overlay /mnt/root || fail 'no layer over the files'
  cd /mnt/root
  mount -t proc proc proc
  mount -t sysfs sysfs sys
  mount -t devtmpfs devtmpfs dev
  mkdir -p dev/pts dev/shm
  mount -t devpts devpts dev/pts
  mount -t tmpfs tmpfs dev/shm
  mount -t tmpfs tmpfs run
  mkdir run/netns run/lock
  [ ! -d sys/fs/cgroup ] || mount -t cgroup2 cgroup2 sys/fs/cgroup || true
  mount -t hostfs -o "$GUEST_FOLDER" hostfs "./$GUEST_FOLDER" || fail 'no folder shared with the machine'
  mkdir .old
  # Not chroot: who enters a namespace of this process would land below the layer.
  pivot_root . .old
  exec chroot . /bin/sh "$0" in-layer
}

# Modules are found and loaded by themselves once the kernel knows a modprobe.
find_modules() {
  [ -n "$GUEST_MODULES" ] || return 0
  mkdir -p /lib/modules
  ln -sfn "$GUEST_MODULES" "/lib/modules/$(uname -r)"
  ln -s "$GUEST_BUSYBOX" /run/modprobe
  echo /run/modprobe >/proc/sys/kernel/modprobe
  # Nobody asks for it by opening /proc/sys/net/ipv6.
  /run/modprobe ipv6
}

serve() {
  exec 3<>/dev/ttyS0
  stty raw -echo <&3
  echo up >&3
  while IFS= read -r number <&3; do
    {
      status=0
      /bin/sh "$GUEST_FOLDER/ask/$number" >"$GUEST_FOLDER/ask/$number.out" 2>&1 </dev/null 3>&- || status=$?
      echo "$number $status" >&3
    } &
  done
}

[ "${1:-}" = in-layer ] || into_layer
umount -l /.old
rmdir /.old
hostname guest
ip link set lo up
find_modules || fail 'modules cannot be loaded'
serve
fail 'the line to the machine is closed'
