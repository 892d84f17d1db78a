#!/usr/bin/env bash
# Installs what the build needs besides Swift: hwloc, zlib and pkg-config. Silent where everything is there.
set -euo pipefail

missing() {
  command -v pkg-config >/dev/null 2>&1 || return 0
  pkg-config --exists hwloc || return 0
  pkg-config --exists zlib || return 0
  return 1
}

command -v swift >/dev/null 2>&1 || {
  echo "Tessera needs Swift 6.2 or later: https://www.swift.org/install" >&2
  exit 1
}
missing || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
  echo "Please install hwloc, zlib (with headers) and pkg-config; with Homebrew: brew install hwloc zlib pkg-config" >&2
  exit 1
fi
sudo=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null 2>&1 || {
    echo "Please install as root: apt-get install libhwloc-dev zlib1g-dev pkg-config" >&2
    exit 1
  }
  sudo=(sudo)
fi
echo "Installing libhwloc-dev, zlib1g-dev and pkg-config."
packages=(libhwloc-dev zlib1g-dev pkg-config)
install() { "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${packages[@]}" >/dev/null; }
# The package lists of a fresh image are empty or old.
install 2>/dev/null || { "${sudo[@]}" apt-get update -qq && install; }
