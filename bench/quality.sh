#!/usr/bin/env bash
# Perplexity of every recipe on one model: converts and evaluates each, several at a time, and prints a Markdown table.
#   bench/quality.sh SOURCE CALIBRATION.txt TEXT.txt WORKDIR [SEQ [SEGMENTS]]
# SPIKE4J names the command (default java/cli/spike4j), JOBS how many run at once, THREADS the threads of each. Results that
# are already in WORKDIR are kept. No result depends on threads or machine.
set -euo pipefail
home=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
(($# >= 4)) || { sed -n 's/^# \{0,1\}//p' "$0" | sed -n 2,5p >&2; exit 2; }
export SPIKE4J=${SPIKE4J:-$home/java/cli/spike4j} THREADS=${THREADS:-2}
export SOURCE=$1 CALIBRATION=$2 TEXT=$3 WORK=$4 SEQ=${5:-1024} SEGMENTS=${6:-64}
mkdir -p "$WORK"

# A line each: name | convert options
recipes() {
    for name in bf16 f32 w8a8 w4a8 w4a5 w4a4 w4a4-t2 w4a4-t4 w4a4-g64 w4a4-t2-g128 w2a8 paper-w4a4-t2 paper-w4a4-t4; do
        echo "$name|--recipe $name"
    done
    for ranges in separate shared; do
        for group in 0 128 64; do
            echo "t2-$ranges-g$group|--recipe w4a4-t2 --clip 1 --ranges $ranges --act-group $group"
        done
    done
    for saliency in max gain paper; do
        echo "t2-mask-$saliency|--recipe w4a4-t2 --saliency $saliency"
    done
    for seed in 1 2 3 4 5; do
        echo "{\"base\": \"w4a4-t2\", \"saliency\": \"random\", \"seed\": $seed}" >"$WORK/random-$seed.json"
        echo "t2-mask-random-$seed|--recipe $WORK/random-$seed.json"
    done
    echo "t2-own-masks|--recipe w4a4-t2 --masks own"
    echo "t2-k-frozen|--recipe w4a4-t2 --k frozen"
    echo "t2-q8|--recipe w4a4-t2 --q-bits 8"
    echo "w4a4-weights-g64|--recipe w4a4 --weight-group 64"
}

one() {
    local name=${1%%|*} options=${1#*|} file=$WORK/${1%%|*}.s4j
    [[ -s $WORK/$name.json ]] && return
    # shellcheck disable=SC2086 # options are words
    "$SPIKE4J" convert "$SOURCE" -o "$file" $options --calibration "$CALIBRATION" --threads "$THREADS" --quiet >"$WORK/$name.log" 2>&1 &&
        "$SPIKE4J" perplexity "$file" --text "$TEXT" --seq "$SEQ" --segments "$SEGMENTS" --threads "$THREADS" --json >"$WORK/$name.tmp" \
            2>>"$WORK/$name.log" && echo "$(stat -c %s "$file")" >"$WORK/$name.size" && mv "$WORK/$name.tmp" "$WORK/$name.json" || true
    rm -f "$file"
}
export -f one
recipes >"$WORK/recipes"
xargs -a "$WORK/recipes" -d '\n' -P "${JOBS:-1}" -I{} bash -c 'one "$1"' _ {}

echo "| recipe | options | perplexity | mean NLL | file MB |"
echo "|---|---|---|---|---|"
while IFS='|' read -r name options; do
    if [[ -s $WORK/$name.json ]]; then
        field() { sed -n "s/.*\"$1\":\([0-9.eE+-]*\).*/\1/p" "$WORK/$name.json"; }
        printf '| %s | `%s` | %.2f | %.4f | %.1f |\n' "$name" "${options//$WORK\//}" "$(field perplexity)" "$(field meanNll)" \
            "$(($(cat "$WORK/$name.size") / 100000))e-1"
    else
        echo "| $name | \`${options//$WORK\//}\` | failed: $(tail -1 "$WORK/$name.log") | | |"
    fi
done <"$WORK/recipes"
