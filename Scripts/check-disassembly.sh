#!/usr/bin/env bash
# Three things that the compiler may get wrong silently, checked in a release build:
# 1. A weak symbol that several objects define is linked once, from the object that comes first. What lesser processors run
#    too must not have come from an object that was built for AVX2 or AVX-512.
# 2. The innermost loops of the register tiles keep their accumulators in registers: no vector goes to the stack.
# 3. Winograd's transforms, straight code on some 20 vectors at a time, work on whole ones and keep them in registers.
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

# --- 3. Winograd's transforms ----------------------------------------------------------------------------------------
# An operation on xmm is a vector that was cut up. Of AVX-512's vector instructions, 150 to 280 a transform, an eighth may use
# the stack (20 of 219 do in the worst); AVX2 has too few registers for the vectors of a transform, so that it only has to work
# on whole ones.
objdump -d --no-show-raw-insn "$build/engine-bench" | awk '
  BEGIN { expected = split("transformInput transformOutput4x4 transformOutput2x2 transformWeights3x3 transformWeights5x5 " \
    "transformOutputGradient4x4 transformOutputGradient2x2 transformWeightGradient3x3 transformWeightGradient5x5", names, " ") }
  function check(   i) {
    # A symbol has the number of letters before the name, and an underscore behind it.
    for (i = 1; i <= expected; i++) if (symbol ~ length(names[i]) names[i] "_") found[isa, names[i]] = 1
    if (quarters > 0) { bad++; print "quarters of vectors: " symbol " " quarters " operations" > "/dev/stderr" }
    if (isa == 512 && stack * 8 > vectors) {
      bad++; print "spills: " symbol " " vectors " vector instructions, " stack " stack accesses" > "/dev/stderr"
    }
  }
  /^[0-9a-f]+ <.*X86AVX(2|512)8WinogradO[0-9]+transform[A-Za-z0-9]+_.*>:$/ {
    symbol = $2; isa = symbol ~ /X86AVX512/ ? 512 : 2; inside = 1; vectors = 0; stack = 0; quarters = 0; next
  }
  /^$/ { if (inside) check(); inside = 0 }
  inside && /\tv[a-z]/ {
    vectors++
    if (/\(%r[sb]p\)/) stack++
    if (/%xmm/ && /\tv(add|sub|mul|max|fm|fnm)[0-9a-z]*ps/) quarters++
  }
  END {
    if (inside) check()
    for (key in found) count++
    print "disassembly: " count + 0 " of " 2 * expected " transforms, " bad + 0 " with quarters of vectors or on the stack"
    exit (count != 2 * expected || bad > 0)
  }'
