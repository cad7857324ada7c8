#!/bin/bash
# The README's commands on a machine that has never seen this project: a minimal Debian 12 with the README's packages, made
# by debootstrap in a temporary folder, and a clone of HEAD in it. Takes root, debootstrap, and 12 GiB of disk for a while.
#
#   tests/fresh_debian.sh ['COMMAND; COMMAND ...']
#
# The Debian mirror is the one in this host's apt configuration. Packages are downloaded anew, which is the point;
# FRESH_CACHE=1 lends the host's uv and pip caches. Exit code 1 if a command fails; 0 with "skipped: ..." where it can't run.
set -euo pipefail

commands=${1:-make dataset LANGS=de,fr,es; make test}
packages=python3,python3-venv,make,git,libnuma1,ca-certificates
release=bookworm
needed_gib=12
# What package clients need behind a mirror or a proxy. PYTHON* is left out on purpose: a fresh machine has none of it.
passed_on='^(PIP_.*|UV_.*(INDEX|CERT|TLS|HOST|TIMEOUT|FIND_LINKS).*|SSL_CERT_.*|(REQUESTS|CURL)_CA_BUNDLE|GIT_SSL_CAINFO|(https?|no|all)_proxy|(HTTPS?|NO|ALL)_PROXY)$'

checkout=$(cd "$(dirname "$0")/.." && pwd)

skip() { echo "skipped: $1"; exit 0; }

# The mirror of Debian itself in whatever form apt's sources are written; its releases all lie under the same address.
mirror() {
    apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(REPO_URI)' 'Created-By: Packages' |
        sed -n 's/^Debian|Debian|main|//p' | head -n 1
}

[ "$(id -u)" = 0 ] || skip "only root can make and enter another Debian"
for tool in debootstrap unshare apt-get git; do
    command -v "$tool" >/dev/null || skip "$tool is not installed (apt-get install debootstrap util-linux git)"
done
mirror=$(mirror) || true
[ -n "$mirror" ] || skip "this host's apt knows no Debian archive (run apt-get update first)"
free_gib=$(($(df --output=avail -k "${TMPDIR:-/tmp}" | tail -n 1) / 1024 / 1024))
[ "$free_gib" -ge "$needed_gib" ] || skip "${TMPDIR:-/tmp} has $free_gib GiB left, and this takes $needed_gib"

# Mounts live in a namespace of their own: not even a SIGKILL leaves one behind on the host.
if [ -z "${FRESH_NAMESPACE:-}" ]; then
    unshare --mount true 2>/dev/null || skip "this host allows no mounts of one's own"
    FRESH_NAMESPACE=1 exec unshare --mount --propagation private "$0" "$@"
fi

fresh=$(mktemp -d "${TMPDIR:-/tmp}/florenz-fresh.XXXXXX")
chmod 755 "$fresh"

# What is mounted inside belongs to the host, /dev and caches above all: nothing is removed while a mount is left.
clean_up() {
    cd /
    for _ in 1 2 3; do
        awk -v under="$fresh/" 'index($2, under) == 1 { print $2 }' /proc/self/mounts | tac | xargs -r -n 1 umount -l || true
    done
    if grep -qF " $fresh/" /proc/self/mounts; then
        echo "$fresh stays: something is still mounted in it" >&2
    else
        rm -rf --one-file-system "$fresh"
    fi
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

echo "Debian $release with $packages"
eval "$(apt-config shell apt_proxy Acquire::http::Proxy)"
http_proxy=${http_proxy:-${apt_proxy:-}} debootstrap --variant=minbase --include="$packages" "$release" "$fresh" "$mirror" \
    >"$fresh.log" 2>&1 || { tail -n 20 "$fresh.log"; rm -f "$fresh.log"; echo "fresh: debootstrap failed"; exit 1; }
rm -f "$fresh.log"

mount -t proc proc "$fresh/proc"
mount -t sysfs sysfs "$fresh/sys"
mount --bind /dev "$fresh/dev"
mount --bind /dev/pts "$fresh/dev/pts"
mount -t tmpfs tmpfs "$fresh/dev/shm"  # Beam's workers and vLLM share memory

# How the host reaches the network, and whom it trusts there.
environment=(HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8)
cp -rL /etc/ssl/certs/. "$fresh/etc/ssl/certs/" 2>/dev/null || true  # links into nowhere are the host's own affair
settings=(/etc/resolv.conf /etc/hosts /etc/pip.conf /etc/uv/uv.toml)
while read -r name; do
    environment+=("$name=${!name}")
    settings+=("${!name}")
done < <(compgen -e | grep -E "$passed_on" || true)
for file in "${settings[@]}"; do
    if [[ $file == /* && -f $file && $file != /etc/ssl/certs/* ]]; then install -D -m 644 "$file" "$fresh$file"; fi
done

lend() {  # FOLDER NAME
    [ -d "$1" ] || return 0
    mkdir -p "$fresh/root/.cache/$2"
    mount --bind "$1" "$fresh/root/.cache/$2"
}
if [ "${FRESH_CACHE:-}" = 1 ]; then
    caches=${XDG_CACHE_HOME:-$HOME/.cache}
    lend "${UV_CACHE_DIR:-$caches/uv}" uv
    lend "${PIP_CACHE_DIR:-$caches/pip}" pip
    environment+=(UV_CACHE_DIR=/root/.cache/uv PIP_CACHE_DIR=/root/.cache/pip)
fi

git clone --quiet --no-hardlinks "$checkout" "$fresh/root/florenz"
echo "clone of $(git -C "$fresh/root/florenz" log -1 --format='%h %s')"

num_commands=0
num_passed=0
IFS=';' read -r -a listed <<<"$commands"
for command in "${listed[@]}"; do
    command=${command# }
    num_commands=$((num_commands + 1))
    echo
    echo "\$ $command"
    began=$SECONDS
    code=0
    chroot "$fresh" /usr/bin/env -i "${environment[@]}" sh -c "cd /root/florenz && $command" </dev/null || code=$?
    echo "($((SECONDS - began)) s, exit code $code)"
    if [ "$code" = 0 ]; then num_passed=$((num_passed + 1)); fi
done
echo
echo "fresh: $num_passed of $num_commands commands passed"
[ "$num_passed" = "$num_commands" ]
