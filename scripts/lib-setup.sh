# Shared by the setup scripts, which source it from the repository's root: Debian packages, a new enough go, programs built from the modules that test/go pins.
# shellcheck shell=sh
arch=$(dpkg --print-architecture)
mkdir -p .cache/bin .cache/debian
# Two of the same script would build everything twice; two that install at once would refuse each other.
exec 9>".cache/lock-$(basename "$0" .sh)" 8>.cache/lock-shared
flock 9

alone() { # COMMAND
  flock 8
  "$@"
  flock -u 8
}

say() { echo "$(basename "$0" .sh): $*"; }

apt_lists() {
  [ -n "${lists_are_fresh:-}" ] || DEBIAN_FRONTEND=noninteractive apt-get update -qq
  lists_are_fresh=yes
}

install_debian() { alone apt_install "$@"; }

apt_install() {
  say "installing Debian packages:$*"
  apt_lists
  # shellcheck disable=SC2068 # words, some with a blank before them
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $@ >/dev/null
}

# Installs the packages of what is missing: a path or command, a colon, its package.
need_debian() {
  missing=''
  for need in "$@"; do
    command -v "${need%%:*}" >/dev/null || missing="$missing ${need#*:}"
  done
  [ -z "$missing" ] || install_debian "$missing"
}

# Unpacked, not installed: the packages would start a daemon, or push out another vendor's containerd and another busybox.
unpack_debian() { alone apt_unpack "$1"; }

apt_unpack() {
  [ ! -d ".cache/debian/$1" ] || return 0
  say "unpacking Debian's $1 into .cache/debian"
  apt_lists
  rm -rf ".cache/debian/$1.part"
  mkdir -p ".cache/debian/$1.part"
  # apt's own unprivileged user may not write below a home directory; as root it warns and goes on.
  (cd ".cache/debian/$1.part" && apt-get download -qq -o APT::Sandbox::User=root "$1" && dpkg -x ./*.deb . && rm ./*.deb)
  mv ".cache/debian/$1.part" ".cache/debian/$1"
}

# A go that is new enough for all modules: the one on PATH, else the toolchain module of their version, fetched by whichever go there is.
needed=$(sed -n 's/^go //p' test/go/*/go.mod | sort -V | tail -1)
export GOTOOLCHAIN=local GOFLAGS=-buildvcs=false CGO_ENABLED=0

is_new_enough() { # GO
  have=$("$1" env GOVERSION 2>/dev/null | sed 's/^go//') && [ -n "$have" ] &&
    [ "$(printf '%s\n' "$needed" "$have" | sort -V | head -1)" = "$needed" ]
}

find_go() {
  go=$(command -v go || true)
  if [ -n "$go" ] && is_new_enough "$go"; then return; fi
  own=.cache/go-$needed
  [ -n "$go" ] || { install_debian golang-go && go=$(command -v go); }
  alone fetch_go
  go=$PWD/$own/bin/go
}

fetch_go() {
  if [ ! -d "$own" ]; then
    say "fetching the Go $needed toolchain (70 MB)"
    # To an old go it is a module like any other. The cache keeps its files without the right to execute them.
    fetched=$(cd / && GOFLAGS='' "$go" mod download -json "golang.org/toolchain@v0.0.1-go$needed.linux-$arch" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
    rm -rf "$own.part"
    cp -r "$fetched" "$own.part"
    chmod -R u+w "$own.part"
    chmod +x "$own.part"/bin/* "$own.part"/pkg/tool/*/*
    mv "$own.part" "$own"
  fi
}

# Of the pins, and of our own source beside them: another version is another folder.
hash_of() { # MODULE
  (cd "test/go/$1" && cat go.mod go.sum $(find . -maxdepth 1 -name '*.go' | LC_ALL=C sort) | sha256sum | cut -c1-16)
}

# Builds into .cache/bin/NAME-HASH; what an older hash left there goes. The command finds the folder in $into, and go in $go.
build_as() { # NAME, MODULE, COMMAND that builds, its arguments
  name=$1 module=$2
  shift 2
  whole=$PWD/.cache/bin/$name-$(hash_of "$module")
  [ ! -d "$whole" ] || return 0
  [ -n "${go:-}" ] || find_go
  begun=$(date +%s)
  for old in .cache/bin/"$name"-*; do rm -rf "$old"; done
  into=$whole.part
  mkdir -p "$into"
  (cd "test/go/$module" && "$go" mod download && "$@")
  mv "$into" "$whole"
  say "built $(find "$whole" -type f -perm -100 | wc -l) programs of $name in $(($(date +%s) - begun)) s"
}

# All tools that the module's go.mod names.
build() { # MODULE, what go build gets
  build_as "$1" "$1" build_tools "$@"
}

build_tools() { # MODULE, what go build gets
  say "building $1 from its Go modules"
  shift
  # shellcheck disable=SC2046 # a list of words
  "$go" build -trimpath "$@" -o "$into/" $("$go" list tool)
}

# A Python environment of its own below .cache; another version or Python is another environment.
python_environment() { # FOLDER, DISTRIBUTION==VERSION or with extras
  need_debian python3:python3
  python3 -c 'import ensurepip' 2>/dev/null || install_debian python3-venv
  want="$2, $(python3 --version)"
  [ "$(cat ".cache/$1/is" 2>/dev/null || :)" != "$want" ] || return 0
  say "installing $want into .cache/$1"
  rm -rf ".cache/$1"
  python3 -m venv ".cache/$1"
  ".cache/$1/bin/pip" install -q --disable-pip-version-check "$2"
  echo "$want" >".cache/$1/is"
}
