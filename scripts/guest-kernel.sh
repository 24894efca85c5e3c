#!/bin/sh
# Builds the guest kernel of guest-kernel.config from Debian's kernel source, once: five to eight minutes on two cores, 9 MB below .cache/bin, where
# test/guest/kernels.ts finds it. A second run does nothing; another configuration is another kernel.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib-setup.sh

# The guest's process 1 has its commands from there.
unpack_debian busybox-static

source=linux-source-6.1
hash=$(sha256sum <scripts/guest-kernel.config | cut -c1-16)
whole=.cache/bin/guest-kernel-$hash
[ ! -d "$whole" ] || exit 0
if [ "$arch" != amd64 ]; then
  say "User-Mode Linux 6.1 is for amd64, this machine is $arch: no guest kernel, and what needs one is not tested"
  exit 0
fi
begun=$(date +%s)
need_debian gcc:gcc make:make flex:flex bison:bison bc:bc xz:xz-utils
[ -e /usr/include/stdio.h ] || install_debian libc6-dev

unpack_debian "$source"
part=.cache/guest-kernel
for old in .cache/bin/guest-kernel-* "$part"; do rm -rf "$old"; done
mkdir -p "$part/source" "$part/build" "$part/whole"
say 'unpacking the kernel source (one minute)'
tar xJf .cache/debian/$source/usr/src/$source.tar.xz -C "$part/source" --strip-components=1

in_tree() { make -s -C "$part/source" ARCH=um O="$PWD/$part/build" "$@"; }
in_tree defconfig
cat scripts/guest-kernel.config >>"$part/build/.config"
in_tree olddefconfig 2>"$part/log" # it warns of each option that our list overrides
# An option that the tree does not know, or that depends on another, is dropped without a word.
missing=$(grep '=y$' scripts/guest-kernel.config | grep -vxF -f "$part/build/.config" || true)
if [ -n "$missing" ]; then
  echo "$missing"
  say 'these options are not in the configuration that came out'
  exit 1
fi

say 'compiling (about 1600 files; usually 4 to 7 minutes)'
# Without -s it names each file as it gets to it.
{ nice -n 10 make -C "$part/source" ARCH=um O="$PWD/$part/build" -j"$(nproc)" vmlinux 2>&1 || echo '!failed'; } | tee "$part/log" | awk '
  /^!failed$/ { exit 1 }
  / (CC|AS|AR|LD|HOSTCC) / && ++n % 250 == 0 { printf "guest-kernel:   %d files\n", n; fflush() }' || {
  tail -20 "$part/log"
  exit 1
}
strip -o "$part/whole/linux" "$part/build/vmlinux"
mkdir -p .cache/bin
mv "$part/whole" "$whole"
rm -rf "$part" ".cache/debian/$source"
say "built $("$whole/linux" --version) in $(($(date +%s) - begun)) s"
