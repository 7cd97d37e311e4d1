#!/bin/sh
# Builds checkkernel once for each fault of mutants.txt, with only the faulty file compiled anew, and demands that it fails.
#   mutants.sh COMPILER ROOT OBJECTS_ARCHIVE "TEST_SOURCES" "HAVE_DEFINES"
# Other objects come from the archive: a member whose symbols are defined by the faulty object already is not pulled.
set -eu
cc=$1 root=$2 archive=$3 sources=$4 have=$5
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
flags="-std=c11 -O1 -D_GNU_SOURCE -ffp-contract=off -fno-math-errno -I$root/native/include -I$root/native/src"
avx2="-mavx2 -mfma -mf16c -mbmi2"

for source in $sources; do
    $cc $flags $have -c "$source" -o "$work/$(basename "$source").o"
done
$cc "$work"/*.o "$archive" -lm -o "$work/true"

# The build without a fault must pass, else the faults prove nothing.
"$work/true" --seed 1 --cases 100 > "$work/log" || { cat "$work/log"; exit 1; }

# Every kernel that computes has a fault in each tier that has a file for it.
list=$root/native/tests/mutants.txt
sed -n 's/^S4J_KERNEL(\([a-z_0-9]*\), \([01]\), .*/\1 \2/p' "$root/native/src/common/kernels.inc" | while read -r kernel avx2_own; do
    case $kernel in read_bandwidth | gemm_peak) continue ;; esac
    grep -q " scalar/$kernel\.c " "$list" || echo "no fault of scalar/$kernel.c"
    [ "$avx2_own" = 0 ] || grep -q " avx2/$kernel\.c " "$list" || echo "no fault of avx2/$kernel.c"
done > "$work/absent"
[ ! -s "$work/absent" ] || { cat "$work/absent"; exit 1; }

listed=$(grep -cv -e '^#' -e '^$' "$list") caught=0 missed=0 skipped=0
while read -r number file tier filter what; do
    case $number in '' | '#'*) continue ;; esac
    tier_flags=
    [ "$tier" = avx2 ] && tier_flags=$avx2
    if "$work/true" --tier "$tier" --filter "$filter" --cases 1 | grep -q 'is not supported here'; then
        skipped=$((skipped + 1))
        continue
    fi
    $cc $flags $tier_flags -DS4J_MUTANT="$number" -w -c "$root/native/src/$file" -o "$work/faulty.o"
    $cc "$work"/*.c.o "$work/faulty.o" "$archive" -lm -o "$work/faulty"
    status=0
    "$work/faulty" --tier "$tier" --filter "$filter" --seed 1 > "$work/log" || status=$?
    if [ $status -eq 1 ] && grep -q '^FAIL' "$work/log"; then
        caught=$((caught + 1))
    else
        missed=$((missed + 1))
        echo "not caught: $number $file: $what"
    fi
done < "$list"
echo "$caught of $listed faults caught, $missed missed, $skipped skipped (tier not supported here)"
[ $((caught + skipped)) -eq "$listed" ]
