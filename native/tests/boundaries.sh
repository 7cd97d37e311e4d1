#!/bin/sh
# What the compiler does not check: boundaries.sh COMPILER ROOT LIBRARY OBJECT_ROOT
#   the header alone is valid C11 and C++17; the library exports exactly the header's functions and prints or allocates nothing;
#   tiers include only common/ and the public header; a tier's objects hold its instructions and no wider ones.
set -eu
cc=$1 root=$2 library=$3 objects=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0
fail() {
    echo "FAIL $1"
    failures=$((failures + 1))
}

languages=c:c11
if echo | $cc -x c++ -fsyntax-only - 2> /dev/null; then
    languages="$languages c++:c++17"
else
    echo "no C++ compiler: the header is checked as C11 only"
fi
for language in $languages; do
    printf '#include "spike4j.h"\nint main(void) { return s4j_abi_version() == S4J_ABI_VERSION; }\n' > "$work/alone"
    $cc -x "${language%:*}" -std="${language#*:}" -Wall -Wextra -Wpedantic -Werror -I"$root/native/include" -fsyntax-only \
        "$work/alone" || fail "spike4j.h as ${language#*:}"
done

sed -n 's/^S4J_API .*[ *]\(s4j_[a-z0-9_]*\)(.*/\1/p' "$root/native/include/spike4j.h" | sort > "$work/declared"
nm -D --defined-only "$library" | awk '$2 ~ /[TDBRW]/ { sub(/@.*/, "", $3); print $3 }' | sort > "$work/exported"
diff "$work/declared" "$work/exported" > "$work/diff" || { cat "$work/diff"; fail "exported symbols are not the header's"; }
[ "$(wc -l < "$work/declared")" -ge 20 ] || fail "the header's functions were not found"

# copies, N0's fmaf and ceilf below their instructions, and the request for AMX tiles; weak ones are the linker's
if nm -D --undefined-only "$library" | awk '$1 == "U" { sub(/@.*/, "", $2); print $2 }' |
    grep -vxE 'memcpy|memset|memmove|fmaf|ceilf|syscall'; then
    fail "the library imports more than it may (it neither allocates nor prints, locks or exits)"
fi

for tier in scalar avx2 avxvnni avx512 amx common; do
    [ -d "$root/native/src/$tier" ] || continue
    grep -Hn '#include "' "$root/native/src/$tier"/* | grep -Ev "\"(common/[a-z0-9_]*\.(h|inc)|spike4j\.h|$tier/[a-z0-9_]*\.h)\"" &&
        fail "$tier includes more than common/ and the public header"
done

# columns of kernels.inc against the files
for tier in avx2:2 avxvnni:3 avx512:4 amx:5; do
    [ -d "$root/native/src/${tier%:*}" ] || continue
    grep '^S4J_KERNEL' "$root/native/src/common/kernels.inc" | sed 's/S4J_KERNEL(//; s/, (.*//' |
        awk -F', ' -v c="${tier#*:}" '$c == 1 { print $1 ".c" }' | sort > "$work/listed"
    (cd "$root/native/src/${tier%:*}" && ls ./*.c | sed 's,^./,,' | sort) > "$work/files"
    diff "$work/listed" "$work/files" > "$work/diff" || { cat "$work/diff"; fail "files of ${tier%:*} and its column of kernels.inc"; }
done

# $1 part, $2 registers that must occur ('' = none must), $3 registers that must not
holds() {
    dir=$(find "$objects" -type d -path "*native/src/$1" | head -1)
    [ -n "$dir" ] || return 0
    find "$dir" -name '*.o' -exec objdump -d --no-show-raw-insn {} + > "$work/code"
    [ -z "$2" ] || grep -qE "$2" "$work/code" || fail "$1 holds no $2"
    if [ -n "$3" ] && grep -m 3 -E "$3" "$work/code"; then fail "$1 holds wider instructions: $3"; fi
}
case $(uname -m) in
x86_64 | amd64)
    wider='%zmm|%k[0-7]|%tmm'
    for part in scalar api dispatch; do holds $part '' "%ymm|$wider"; done
    holds avx2 '%ymm' "$wider|vpdpbusd|vpdpwssd"
    holds avxvnni 'vpdpbusd' "$wider"
    holds avx512 '%zmm' '%tmm'
    holds amx '%tmm' ''
    ;;
esac
echo "$failures failures"
[ $failures -eq 0 ]
