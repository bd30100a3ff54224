#!/bin/bash
# run.sh [--long]: has spin search the models of handoffs and of leases, and prints a line for each search. Every search goes
# through all states that its bounds allow. Then each planted fault must be caught, or the model shows nothing.
#   --long    wider bounds: minutes, and some GB of memory
# SPIN_JOBS searches run at once; a trail of what failed is kept in build/model. Exit status: 0 when all is as it should be.
set -u
cd "$(dirname "$0")/../.." || exit 1

CC=${CC:-gcc}
JOBS=${SPIN_JOBS:-$(nproc)}
OUT=build/model
MODELS=$PWD/tests/model
LIMIT_S=${SPIN_LIMIT_S:-120}
MEMORY_MB=2000
OPTIMISE=-O0 # to compile takes longer than to search; clang takes half the time of gcc

SEARCHES=(
    "CRASHES=0 CUTS=0 MOVES=3 INPUTS=3"
    "CRASHES=0 CUTS=1 MOVES=2 INPUTS=2"
    "CRASHES=0 CUTS=2 MOVES=2"
    "CRASHES=1 CUTS=0 MOVES=2 INPUTS=1"
    "CRASHES=1 CUTS=1 MOVES=2"
    "CRASHES=2 CUTS=0 MOVES=1"
    "CRASHES=1 CUTS=0 MOVES=1 PLAYERS=2"
    "CRASHES=1 CUTS=0 MOVES=2 GIFTS=1"
    "CRASHES=1 CUTS=1 MOVES=1 GIFTS=1"
    "CRASHES=2 CUTS=0 MOVES=1 GIFTS=1 FULL=0"
)
FAULTS=( # in the order of their numbers
    "CRASHES=1 CUTS=0 MOVES=1"
    "CRASHES=1 CUTS=0 MOVES=1"
    "CRASHES=0 CUTS=1 MOVES=2"
    "CRASHES=0 CUTS=1 MOVES=2"
    "CRASHES=1 CUTS=0 MOVES=1 INPUTS=1"
    "CRASHES=0 CUTS=0 MOVES=1 INPUTS=2"
    "CRASHES=0 CUTS=1 MOVES=2"
    "CRASHES=0 CUTS=0 MOVES=1"
    "CRASHES=0 CUTS=1 MOVES=2"
    "CRASHES=1 CUTS=0 MOVES=1 GIFTS=1"
    "CRASHES=1 CUTS=1 MOVES=1 GIFTS=1"
)
LEASES=(
    "SUSPECTS=1 CRASHES=0 CUTS=0"
    "SUSPECTS=0 CRASHES=1 CUTS=1 KINDS=1"
    "SUSPECTS=0 CRASHES=1 CUTS=0 KINDS=2"
    "SUSPECTS=0 CRASHES=2 CUTS=0 KINDS=3 SMALL=1"
    "SUSPECTS=1 CRASHES=1 CUTS=0 KINDS=2 SMALL=1"
    "SUSPECTS=0 CRASHES=1 CUTS=1 KINDS=2 UNHEARD=1 SMALL=1"
    "SUSPECTS=0 CRASHES=0 CUTS=0 LIVES=2 LATE=1 SMALL=1"
    "SUSPECTS=1 CRASHES=1 CUTS=0 KINDS=4"
    "SUSPECTS=1 CRASHES=1 CUTS=0 KINDS=4 FRESH=1"
)
LEASE_FAULTS=( # in the order of their numbers
    "SUSPECTS=1 CRASHES=0 CUTS=0"
    "SUSPECTS=1 CRASHES=1 CUTS=0 KINDS=4"
    "SUSPECTS=0 CRASHES=1 CUTS=0 KINDS=2"
    "SUSPECTS=1 CRASHES=1 CUTS=0 KINDS=4 FRESH=1"
    "SUSPECTS=0 CRASHES=1 CUTS=0 KINDS=2 UNHEARD=1 SMALL=1"
    "SUSPECTS=0 CRASHES=0 CUTS=0 LIVES=2 LATE=1 SMALL=1"
    "SUSPECTS=0 CRASHES=1 CUTS=0 KINDS=2 UNHEARD=1 SMALL=1"
)
if [ "${1:-}" = --long ]; then
    LIMIT_S=${SPIN_LIMIT_S:-3600}
    MEMORY_MB=8000
    OPTIMISE=-O2
    SEARCHES=(
        "CRASHES=1 CUTS=2 MOVES=3"
        "CRASHES=2 CUTS=1 MOVES=2"
        "CRASHES=2 CUTS=0 MOVES=3 INPUTS=1"
        "CRASHES=0 CUTS=1 MOVES=2 INPUTS=1 PLAYERS=2"
        "CRASHES=1 CUTS=0 MOVES=3 PLAYERS=2"
        "CRASHES=1 CUTS=1 MOVES=2 GIFTS=1"
        "CRASHES=2 CUTS=0 MOVES=1 INPUTS=1 GIFTS=1"
        "CRASHES=2 CUTS=1 MOVES=1 GIFTS=1"
        "CRASHES=2 CUTS=0 MOVES=2 GIFTS=1"
        "CRASHES=1 CUTS=0 MOVES=1 PLAYERS=2 GIFTS=1"
    )
elif [ $# -gt 0 ]; then
    echo "usage: run.sh [--long]" >&2
    exit 2
fi

# search MODEL NAME BOUNDS FAULT: one search in a folder of its own. Prints what came of it; 1 when that is not what it should be.
# What the verifier says is kept in its folder.
search() {
    local model=$1 dir=$OUT/$2 bounds=$3 fault=$4 begin=$SECONDS result=0 found states
    local -a defines=("-DFAULT=$fault")
    for bound in $bounds; do defines+=("-D$bound"); done
    rm -rf "$dir" && mkdir -p "$dir" && cd "$dir" || return 1
    if ! spin "${defines[@]}" -a "$MODELS/$model.pml" >spin.log 2>&1 || grep -q . spin.log ||
        ! "$CC" "$OPTIMISE" -DSAFETY -DCOLLAPSE -DMEMLIM="$MEMORY_MB" -o pan pan.c >cc.log 2>&1; then
        echo "FAILED  $model $bounds: it can't be built; see $dir"
        return 1
    fi
    timeout "$LIMIT_S" ./pan -m100000 -w22 >pan.log 2>&1
    found=$(sed -n 's/^pan:1: \(.*\) (at depth.*/\1/p' pan.log | cut -c1-60)
    states=$(sed -n 's/^ *\([0-9]*\) states, stored.*/\1/p' pan.log)
    if ! grep -q 'errors: [01]$' pan.log || grep -q 'Search not completed' pan.log && [ -z "$found" ]; then
        echo "FAILED  $model $bounds: the search has not come to its end ($((SECONDS - begin)) s); see $dir/pan.log"
        result=1
    elif [ "$fault" -eq 0 ] && [ -n "$found" ]; then
        echo "FAILED  $model $bounds: $found; see $dir, and: spin ${defines[*]} -p -t -k $model.pml.trail $MODELS/$model.pml"
        result=1
    elif [ "$fault" -ne 0 ] && [ -z "$found" ]; then
        echo "FAILED  $model with fault $fault, $bounds: it is not caught"
        result=1
    elif [ "$fault" -ne 0 ]; then
        echo "ok      $model with fault $fault is caught ($((SECONDS - begin)) s): $found"
    else
        echo "ok      $model $bounds: $states states ($((SECONDS - begin)) s)"
    fi
    return $result
}

# The searches run side by side; each line comes whole, when it is there.
failed=0
running=0
begin() {
    if [ "$running" -ge "$JOBS" ]; then
        wait -n || failed=1
        running=$((running - 1))
    fi
    search "$@" &
    running=$((running + 1))
}
for i in "${!SEARCHES[@]}"; do begin handoff "search-$i" "${SEARCHES[$i]}" 0; done
for i in "${!FAULTS[@]}"; do begin handoff "fault-$((i + 1))" "${FAULTS[$i]}" "$((i + 1))"; done
for i in "${!LEASES[@]}"; do begin lease "lease-$i" "${LEASES[$i]}" 0; done
for i in "${!LEASE_FAULTS[@]}"; do begin lease "lease-fault-$((i + 1))" "${LEASE_FAULTS[$i]}" "$((i + 1))"; done
while [ "$running" -gt 0 ]; do
    wait -n || failed=1
    running=$((running - 1))
done
exit "$failed"
