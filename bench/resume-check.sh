#!/usr/bin/env bash
# Converts a random checkpoint in shards once without interruption and once killed (kill -9) at random moments and started again,
# and compares the SHA-256 of both files.
#   bench/resume-check.sh [--shape small|tinyllama-1.1b|llama2-7b|D,FF,L,H,KV,V] [--recipe NAME|FILE] [--calibration TEXT]
#                         [--kills 10] [--heap 4g] [--threads N] [--dir DIR]
# DIR (default a new folder in $TMPDIR) gets the checkpoint, which a later run uses again, and both files; a new folder is deleted
# at the end. SPIKE4J names the command (default java/cli/spike4j). Ends with 0 only if everything is as it must be.
set -euo pipefail
home=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
spike4j=${SPIKE4J:-$home/java/cli/spike4j}
shape=small recipe=w4a4 calibration='' kills=10 heap=4g threads=$(nproc) dir=''
while (($#)); do
    case $1 in
        --shape) shape=$2 ;;
        --recipe) recipe=$2 ;;
        --calibration) calibration=$2 ;;
        --kills) kills=$2 ;;
        --heap) heap=$2 ;;
        --threads) threads=$2 ;;
        --dir) dir=$2 ;;
        *) sed -n 's/^# \{0,1\}//p' "${BASH_SOURCE[0]}" | sed -n 2,8p >&2; exit 2 ;;
    esac
    shift 2
done
case $shape in
    small) numbers=1024,2816,8,16,4,32000 ;;
    tinyllama-1.1b) numbers=2048,5632,22,32,4,32000 ;;
    llama2-7b) numbers=4096,11008,32,32,32,32000 ;;
    *) numbers=$shape ;;
esac
java=${JAVA_HOME:-/nonexistent}/bin/java
for candidate in "$(command -v java)" /usr/lib/jvm/*/bin/java; do
    "$java" -version 2>&1 | grep -q '^[^ ]* version "25' || java=$candidate
done
if [ -z "$dir" ]; then
    dir=$(mktemp -d)
    trap 'rm -rf "$dir"' EXIT
fi
mkdir -p "$dir"
source=$dir/checkpoint-$numbers
IFS=, read -r d ff l h kv v <<<"$numbers"
weights=$((2 * v * d + l * (2 * d * d + 2 * d * (d / h * kv) + 3 * d * ff)))
echo "shape $shape ($numbers): $weights weights, recipe $recipe, $threads threads, -Xmx$heap, $(nproc) processors"
if [ ! -e "$source/model.safetensors.index.json" ]; then
    free=$(df -B1 --output=avail "$dir" | tail -1)
    ((free > 6 * weights)) || { echo "$dir: $free bytes are free, $((6 * weights)) are needed" >&2; exit 1; }
    "$java" "$home/bench/src/main/java/io/github/spike4j/bench/RandomCheckpoint.java" "$numbers" "$source"
fi

export JAVA_TOOL_OPTIONS="-Xmx$heap"
arguments=("$source" --recipe "$recipe" --threads "$threads" --json)
[ -z "$calibration" ] || arguments+=(--calibration "$calibration")
echo "plan: $("$spike4j" convert "${arguments[@]}" --dry-run 2>"$dir/plan.log" | sed 's/.*\("fileBytes".*\),"warnings".*/\1/')"

# The launcher becomes the JVM, so that its process is the one to watch and to kill.
convert() {
    "$spike4j" convert "${arguments[@]}" -o "$1" >"$dir/out.json" 2>>"$dir/log" &
    pid=$!
}

# Peak memory of the JVM: without the mapped source (RssFile), which the system may drop.
watch_memory() {
    peak=0
    while kill -0 "$pid" 2>/dev/null; do
        now=$(sed -n 's/^RssAnon:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$pid/status" 2>/dev/null || echo 0)
        ((${now:-0} > peak)) && peak=$now
        sleep 0.2
    done
}

journal() {
    stat -c %s "$dir/killed.s4j.work/journal" 2>/dev/null || echo 0
}

rm -rf "$dir/whole.s4j"* "$dir/killed.s4j"*
: >"$dir/log"
start=$(date +%s%N)
convert "$dir/whole.s4j"
watch_memory
wait "$pid" || { tail -3 "$dir/log" >&2; exit 1; }
seconds=$((($(date +%s%N) - start) / 1000000))
expected=$(sha256sum <"$dir/whole.s4j")
echo "uninterrupted: $((seconds / 1000)).$((seconds / 100 % 10)) s, $(stat -c %s "$dir/whole.s4j") bytes, peak $((peak / 1024)) MB anonymous, sha256 ${expected%% *}"

done=0 finished=0
while ((done < kills)); do
    before=$(journal)
    convert "$dir/killed.s4j"
    # a run must get on: the clock starts with its first block
    while kill -0 "$pid" 2>/dev/null && [ "$(journal)" = "$before" ]; do
        sleep 0.05
    done
    # at most the mean distance of so many kills spread over one conversion, in milliseconds
    pause=$((RANDOM * (seconds / (kills + 1)) / 32768))
    sleep "$((pause / 1000)).$(printf %03d $((pause % 1000)))"
    if kill -9 "$pid" 2>/dev/null; then
        ((++done))
    fi
    wait "$pid" 2>/dev/null || true
    if [ -e "$dir/killed.s4j" ]; then
        # complete between two kills: it must be right, and the next one starts anew
        [ "$(sha256sum <"$dir/killed.s4j")" = "$expected" ] || { echo "killed $done times: other bytes" >&2; exit 1; }
        ((++finished))
        rm "$dir/killed.s4j"
    fi
done
convert "$dir/killed.s4j"
wait "$pid" || { tail -3 "$dir/log" >&2; exit 1; }
actual=$(sha256sum <"$dir/killed.s4j")
echo "killed $done times ($finished times complete in between): $(sed 's/.*\("resumedBlocks":[0-9]*\).*/\1/' "$dir/out.json"), sha256 ${actual%% *}"
[ "$actual" = "$expected" ] || { echo "other bytes" >&2; exit 1; }
[ ! -e "$dir/killed.s4j.work" ] || { echo "the work folder is left" >&2; exit 1; }
"$spike4j" verify "$dir/killed.s4j" --quiet 2>>"$dir/log"
rm "$dir/killed.s4j" "$dir/whole.s4j"
