#!/usr/bin/env bash
# Packs the fuzz targets with a Java for a machine that has neither Maven nor network:
#   bench/fuzz-bundle.sh [BUNDLE.tar.xz]                                  (here)
#   tar xf BUNDLE.tar.xz && spike4j-fuzz/run --jobs 16 --runs 10000000    (there; Fuzz.java has the options)
set -euo pipefail
home=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
[[ $# -le 1 && ${1-} != -* ]] || { sed -n 's/^# \{1,\}//p' "$0" | sed -n 2,3p >&2; exit 2; }
archive=$(realpath -m "${1:-$home/bench/target/spike4j-fuzz.tar.xz}")

jdk=
for candidate in "${JAVA_HOME:-/nonexistent}" /usr/lib/jvm/*; do
    if [[ -x $candidate/bin/jlink ]] && "$candidate/bin/java" -version 2>&1 | grep -q 'version "25[."]'; then
        jdk=$candidate
        break
    fi
done
if [[ ! $jdk ]]; then
    echo "fuzz-bundle: no JDK 25 in JAVA_HOME or /usr/lib/jvm" >&2
    exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bundle=$work/spike4j-fuzz
mkdir -p "$bundle/lib" "$(dirname "$archive")"
(cd "$home" && mvn -q -DskipTests -DskipNativeTests -Pfuzz -pl java/convert -am verify -Dfuzz.args=--classpath) | grep '^/.*jazzer' | tr ':' '\n' |
    while read -r part; do
        if [[ -d $part ]]; then
            mkdir -p "$bundle/classes"
            cp -r "$part/." "$bundle/classes/"
        elif [[ -f $part ]]; then
            cp "$part" "$bundle/lib/"
        fi
    done
[[ -d $bundle/classes/io ]] || { echo "fuzz-bundle: Maven printed no class path" >&2; exit 1; }
rm -f "$bundle/classes/module-info.class"
"$jdk/bin/jlink" --add-modules java.base,java.xml,java.logging,java.management,jdk.management,java.instrument,jdk.attach,jdk.unsupported,java.desktop,java.naming,java.sql,java.scripting,jdk.jfr,jdk.zipfs,jdk.incubator.vector \
    --compress zip-0 --strip-debug --no-header-files --no-man-pages --output "$bundle/jre"
cat >"$bundle/run" <<'RUN'
#!/bin/sh
cd "$(dirname "$0")" && exec jre/bin/java -cp "classes:lib/*" io.github.spike4j.convert.fuzz.Fuzz --keep out "$@"
RUN
chmod +x "$bundle/run"
tar -C "$work" -cJf "$archive" spike4j-fuzz
ls -l "$archive"
