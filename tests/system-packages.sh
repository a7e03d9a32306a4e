#!/bin/sh
# Makes sure of the programs that the tests drive and pip cannot bring: Chromium, a Chinese
# font for its pages, a second redis-server and libfaketime; and of those named as arguments.
# Installs them on Debian as root; elsewhere
# says what to install and fails.
set -eu

missing=""
command -v chromium >/dev/null 2>&1 || missing="$missing chromium"
command -v redis-server >/dev/null 2>&1 || missing="$missing redis-server"
find /usr/lib -name libfaketimeMT.so.1 2>/dev/null | grep -q . || missing="$missing libfaketime"
fc-list 2>/dev/null | grep -qi "noto.*cjk" || missing="$missing fonts-noto-cjk"
for package in "$@"; do
    command -v "$package" >/dev/null 2>&1 || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing for the tests:$missing"
    apt-get update -qq
    # A package's own service must not start: the tests start what they need themselves.
    DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
    echo "the tests need these programs; please install them:$missing" >&2
    exit 1
fi
