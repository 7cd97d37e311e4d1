#!/bin/sh
# Regenerates the Panama bindings of native/include/spike4j.h with a jextract that the caller supplies.
# Usage: bindings/jextract/regenerate.sh JEXTRACT        (JEXTRACT: path of the jextract executable)
# JEXTRACT_COMMIT, when set, is recorded as the source commit of that jextract.
set -eu
jextract=${1:?usage: regenerate.sh JEXTRACT}
cd "$(dirname "$0")/../.."
here=bindings/jextract
out=bindings/src/main/java
package=io.github.spike4j.bindings.ffi
header=native/include/spike4j.h
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# Every s4j symbol of the header and nothing of libc. The header's include guard has no value, so jextract
# leaves it out itself; the trailing comment of each line holds an absolute path and is dropped.
"$jextract" --dump-includes "$tmp/all" "$header"
LC_ALL=C grep -E '^--include-[a-z]+ (s4j_|S4J_)' "$tmp/all" | sed 's/ *#.*//' >"$tmp/includes"

# Generate aside first: a failing run leaves the committed sources alone.
set -- -t "$package" --header-class-name Spike4jH "@$here/spike4j.includes" "$header"
cp "$tmp/includes" "$here/spike4j.includes"
"$jextract" --output "$tmp/src" "$@"
rm -rf "$out/io/github/spike4j/bindings/ffi"
mkdir -p "$out/io/github/spike4j/bindings"
mv "$tmp/src/io/github/spike4j/bindings/ffi" "$out/io/github/spike4j/bindings/ffi"

"$jextract" --version >"$tmp/version" 2>&1
{
    echo '# What the generated sources were made from and with; written by regenerate.sh, checked by ProvenanceTest.'
    echo "header=$header"
    echo "header.sha256=$(tr -d '\r' <"$header" | sha256sum | cut -d' ' -f1)"
    echo "jextract.version=$(sed -n 's/^jextract //p' "$tmp/version")"
    echo "jextract.commit=${JEXTRACT_COMMIT:-unknown}"
    echo "jextract.jdk=$(sed -n 's/^JDK version //p' "$tmp/version")"
    echo "libclang.version=$(sed -n 's/^LibClang version //p' "$tmp/version")"
    echo "command=jextract --output $out $*"
} >"$here/provenance.properties"
