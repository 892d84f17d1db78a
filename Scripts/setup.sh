#!/usr/bin/env bash
# Installs what the build needs besides Swift: hwloc, zlib and pkg-config; and gnuplot, which draws the plots of
# `engine-bench report` and which everything else does without. Silent where everything is there.
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

sudo=()
[ "$(id -u)" -eq 0 ] || sudo=(sudo)
# The package lists of a fresh image are empty or old.
install() {
  try_install "$@" 2>/dev/null || { "${sudo[@]}" apt-get update -qq && try_install "$@"; }
}
try_install() { "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@" >/dev/null; }

if missing; then
  if ! command -v apt-get >/dev/null 2>&1; then
    echo "Please install hwloc, zlib (with headers) and pkg-config; with Homebrew: brew install hwloc zlib pkg-config" >&2
    exit 1
  fi
  command -v "${sudo[@]:-true}" >/dev/null 2>&1 || {
    echo "Please install as root: apt-get install libhwloc-dev zlib1g-dev pkg-config" >&2
    exit 1
  }
  echo "Installing libhwloc-dev, zlib1g-dev and pkg-config."
  install libhwloc-dev zlib1g-dev pkg-config
fi

# Nobody is asked for a password, and nothing fails, for the sake of plots.
if ! command -v gnuplot >/dev/null 2>&1 && command -v apt-get >/dev/null 2>&1; then
  if [ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null; then
    echo "Installing gnuplot-nox."
    install gnuplot-nox 2>/dev/null || echo "It can't be installed; \`engine-bench report\` needs it, nothing else does."
  fi
fi
