#!/usr/bin/env bash
# Unpack a Debian package into a folder, without installing it.
#
#   unpack.sh PACKAGE FOLDER
set -euo pipefail
if (($# != 2)) || [[ $1 == --help || $1 == -h ]]; then
  awk 'NR > 1 && !/^#/ { exit } NR > 1 { sub(/^# ?/, ""); print }' "$0"
  exit $(($# == 1 ? 0 : 2))
fi
if ! command -v apt-get >/dev/null; then
  echo "$0: there is no apt-get here; this recipe is for Debian and its relatives" >&2
  exit 1
fi

folder=$2
mkdir -p "$folder/deb"
cd "$folder/deb"
# What an earlier, broken download left is no whole package; apt-get checks the sums of what it brings.
rm -f "$1"_*.deb
apt-get -o Debug::NoLocking=1 -o APT::Sandbox::User="$(id -un)" -qq download "$1" ||
  { echo "$0: apt-get cannot download $1; run apt-get update first, as root" >&2 && exit 1; }
dpkg-deb -x "$1"_*.deb "$folder"
rm -f "$1"_*.deb
