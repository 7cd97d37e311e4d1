#!/usr/bin/env bash
# Packs what a bare Linux machine (gcc, glibc; nvcc if it has a GPU) needs to check and measure Spike4J into one archive:
#   bench/device-bundle.sh [BUNDLE.tar.xz]          (here; after mvn package)
#   tar xf BUNDLE.tar.xz && spike4j-device/run RESULT.json          (there)
# No Java, Maven, CMake or network is needed there: the archive holds a linked Java, the jars, and the native sources with the
# very compiler calls that CMake makes here.
set -euo pipefail
home=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
[[ $# -le 1 && ${1-} != -* ]] || { sed -n 's/^# \{1,\}//p' "$0" | sed -n 2,3p >&2; exit 2; }
archive=$(realpath -m "${1:-$home/bench/target/spike4j-device.tar.xz}")
model=${SPIKE4J_MODEL:-$home/demo/novelwiki-29m.s4j}

die() {
    echo "device-bundle: $1" >&2
    exit 1
}

jdk=
for candidate in "${JAVA_HOME:-/nonexistent}" /usr/lib/jvm/*; do
    if [[ -x $candidate/bin/jlink ]] && "$candidate/bin/java" -version 2>&1 | grep -q 'version "25[."]'; then
        jdk=$candidate
        break
    fi
done
[[ $jdk ]] || die "no JDK 25 in JAVA_HOME or /usr/lib/jvm"
[[ -d $home/java/cli/target/lib ]] || die "not built yet; run: mvn -q -DskipTests package (in $home)"
[[ -f $model ]] || die "$model: no such model (SPIKE4J_MODEL names another)"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bundle=$work/spike4j-device
mkdir -p "$bundle/lib"

# Uncompressed modules: xz does better on the whole. Jackson does not start without java.xml.
"$jdk/bin/jlink" --add-modules java.base,java.xml,jdk.incubator.vector,jdk.unsupported,java.logging,java.management,jdk.management,jdk.jfr \
    --compress zip-0 --strip-debug --no-header-files --no-man-pages --output "$bundle/jre"
cp "$home"/java/cli/target/spike4j-cli-*.jar "$home"/java/cli/target/lib/*.jar "$home"/bench/target/spike4j-bench-*.jar "$bundle/lib/"
cp "$model" "$bundle/demo.s4j"
cp -r "$home/native" "$bundle/native"

# The compiler calls, taken from CMake with paths made relative: flags have one home, CMakeLists.txt.
cmake -S "$home" -B "$work/cmake" --log-level=ERROR >/dev/null
{
    echo '#!/bin/sh'
    echo '# Written by device-bundle.sh from the compile commands of CMakeLists.txt.'
    echo 'set -eu'
    echo 'cd "$(dirname "$0")"'
    echo 'mkdir -p build'
    # One line a source: directory, then the call with the compiler of the machine that it runs on.
    sed -n 's/^  "command": "\(.*\)",\{0,1\}$/\1/p' "$work/cmake/compile_commands.json" |
        sed -e 's/\\"/"/g' -e "s#$home/##g" -e "s#-I$home #-I. #g" -e 's#^[^ ]*nvcc #nvcc #' -e 's#^[^ ]*/\(cc\|gcc\|clang\) #"${CC:-gcc}" #' \
            -e 's# -Werror # #' -e 's# -o CMakeFiles/\([^ ]*\)# -o build/\1#' |
        while read -r call; do
            object=$(sed 's/.* -o \([^ ]*\).*/\1/' <<<"$call")
            if [[ $(dirname "$object") != "${folder-}" ]]; then
                folder=$(dirname "$object")
                echo "mkdir -p $folder"
            fi
            if [[ $call == nvcc* ]]; then
                echo "if command -v nvcc >/dev/null; then $call; fi"
            else
                # In the background: the bundle's tiers are few and large.
                echo "$call &"
                echo 'pids="${pids-} $!"'
            fi
        done
    cat <<'LINK'
for pid in ${pids-}; do wait "$pid"; done
objects=$(find build -name '*.c.o' -path '*spike4j_*')
tests=$(find build -name '*.c.o' -path '*checkkernel.dir*')
"${CC:-gcc}" -shared -o build/libspike4j.so $objects -Wl,-z,relro,-z,now -Wl,--as-needed -lm
"${CC:-gcc}" -o build/checkkernel $tests $objects -lm
gpu=$(find build -name '*.cu.o')
if [ -n "$gpu" ]; then
    nvcc -shared -cudart static -o build/libspike4j_cuda.so $gpu -Xlinker --exclude-libs,ALL
fi
LINK
} >"$bundle/build.sh"

cat >"$bundle/run" <<'RUN'
#!/bin/sh
# Builds, checks, measures; writes one JSON file. Usage: run [RESULT.json]
set -eu
case ${1-} in -*) sed -n 2s/..//p "$0" >&2; exit 2 ;; esac
here=$(cd "$(dirname "$0")" && pwd -P)
exec "$here/jre/bin/java" -cp "$here/lib/*" io.github.spike4j.bench.DeviceRun "$here" "${1:-result.json}"
RUN
chmod +x "$bundle/run"

mkdir -p "$(dirname "$archive")"
tar -C "$work" --sort=name --owner=0 --group=0 -cJf "$archive" spike4j-device
size=$(stat -c %s "$archive")
((size < 60000000)) || die "$archive: $size bytes, more than 60 MB"
echo "$archive: $size bytes"
