#!/usr/bin/env bash
# Two things that the compiler may get wrong silently, checked in a release build:
# 1. A weak symbol that several objects define is linked once, from the object that comes first. What lesser processors run
#    too must not have come from an object that was built for AVX2 or AVX-512.
# 2. The innermost loops of the register tiles keep their accumulators in registers: no vector goes to the stack.
# Usage: check-disassembly.sh .build/release
set -euo pipefail
build=$1
case "$(uname -m)" in
  x86_64) ;;
  *) echo "disassembly: nothing to check on $(uname -m)"; exit 0 ;;
esac
command -v objdump >/dev/null 2>&1 || { echo "disassembly: please install binutils (objdump, nm)" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# --- 1. Weak symbols -------------------------------------------------------------------------------------------------
weak() { { xargs -0 nm --defined-only 2>/dev/null || true; } | awk '$2 ~ /^[WVu]$/ {print $3}' | sort -u; }
find "$build"/TesseraKernelsX86AVX2.build -name '*.o' -print0 | weak >"$work/avx2"
find "$build"/TesseraKernelsX86AVX512.build -name '*.o' -print0 | weak >"$work/avx512"
find "$build" -name '*.o' -not -path '*TesseraKernelsX86*' -print0 | weak >"$work/others"
sort -u "$work/avx2" "$work/avx512" | comm -12 - "$work/others" >"$work/common"
comm -12 "$work/avx2" "$work/avx512" | comm -23 - "$work/others" >"$work/vector"

# In what was linked: symbols that others define too hold no VEX or EVEX code (mnemonics that begin with v); those that only the
# two vector modules share hold nothing of AVX-512 (zmm and mask registers, registers beyond 15).
objdump -d --no-show-raw-insn "$build/engine-bench" | awk -v common="$work/common" -v vector="$work/vector" '
  BEGIN {
    while ((getline name < common) > 0) level[name] = 1
    while ((getline name < vector) > 0) level[name] = 2
  }
  /^[0-9a-f]+ <.*>:$/ { name = $2; sub(/^</, "", name); sub(/>:$/, "", name); if (name in level) linked++; next }
  !(name in level) || (name in bad) { next }
  (level[name] == 1 && $2 ~ /^v[a-z]/) || /%zmm|%k[0-7]|%[xy]mm(1[6-9]|2[0-9]|3[01])/ { bad[name] = 1; print name ": " $0 > "/dev/stderr" }
  END {
    for (name in bad) count++
    print "disassembly: " linked + 0 " shared weak functions linked, " count + 0 " for the wrong processor"
    exit (linked == 0 || count > 0)
  }'

# --- 2. Register tiles -----------------------------------------------------------------------------------------------
objdump -d --no-show-raw-insn "$build/engine-bench" | awk '
  function check(   i, k, target, first, sums, stack) {
    for (i = 1; i <= lines; i++) {
      if (text[i] !~ /\tj[a-z]+ +[0-9a-f]+/) continue
      target = text[i]; sub(/.*\tj[a-z]+ +/, "", target); sub(/ .*/, "", target)
      if (!(target in at) || at[target] >= i) continue
      first = at[target]; sums = 0; stack = 0
      for (k = first; k <= i; k++) {
        if (text[k] ~ /\tvfm(add|sub)[0-9]+ps|\tmulps|\tvmulps/) sums++
        if (text[k] ~ /mov[au]ps/ && text[k] ~ /\(%r[sb]p\)/) stack++
        # A loop within this one is looked at by itself.
        if (k < i && text[k] ~ /\tj[a-z]+ +[0-9a-f]+/) {
          inner = text[k]; sub(/.*\tj[a-z]+ +/, "", inner); sub(/ .*/, "", inner)
          if ((inner in at) && at[inner] >= first && at[inner] <= k) { sums = 0; break }
        }
      }
      # Loops of one or two rows are unrolled and may keep a factor on the stack; they are bound by latency anyway.
      if (sums < 8) continue
      loops++
      if (stack * 4 > sums) { bad++; print "spills: " name ": " sums " multiply-adds, " stack " stack accesses" > "/dev/stderr" }
    }
  }
  /^[0-9a-f]+ <.*RegisterTile.*run.*>:$/ { name = $2; inside = 1; lines = 0; delete at; next }
  /^$/ { if (inside) check(); inside = 0 }
  inside { lines++; address = $1; sub(/:$/, "", address); at[address] = lines; text[lines] = $0 }
  END {
    print "disassembly: " loops + 0 " hot loops of register tiles, " bad + 0 " that use the stack"
    exit (loops == 0 || bad > 0)
  }'
