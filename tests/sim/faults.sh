#!/bin/bash
# faults.sh [N...]: plants one fault at a time into a copy of a source, links the simulation with it, and runs seeds until one
# fails. A fault that no seed finds fails the test; README.md tells what each is. `make test-sim` calls it by run-sim-faults,
# which sets how to compile (SIM_CC), where the objects are (SIM_OUT) and what is linked (SIM_LINK).
# With numbers: only those, and their traces stay in build/sim.
set -u
cd "$(dirname "$0")/../.." || exit 1

SEEDS=${SIM_FAULT_SEEDS:-4000}
declare -A FIRST=([3]=2801) # the seed to begin with where few find a fault, as to search those before takes long
DIR=build/sim

# file | what sed does to it; each must change something
FAULTS=(
    'zone/handoff_gateway.c|s/if (is_told_twice(h, gateway, c)) {/if (false) {/'
    'gateway/transfer.c|s/t->stats.started++;/(void)tell_routed(t, zone, carried->session, carried->attachment, WIRE_ROUTED_DONE);/'
    'gateway/transfer.c|s/if (entry->is_source_dead) route = /route = /'
    'gateway/transfer.c|s/session->newest_input_seq = carried->newest_seq;//'
    'zone/view.c|s/resend(view, \(&view->log\[flight->log_begin + i\]\))/promote(view, \1, flight->tick)/'
    'matchmaker/atlas.c|s/w->fenced_by != all_shards(a)/false/'
    'zone/book.c|s/grant->grant.key |= .*//'
    'persist/grants.c|s/return g->oldest < g->newest_end ? .*/return UINT64_MAX;/'
    'persist/motion_flush.c|s/{batch->lazy ? &FENCE_LAZY : &FENCE,/{\&FENCE_LAZY,/'
    'tests/sim/shard.c|s/journal_durable(journal_of(s))/journal_of(s)->appended/'
    'tests/sim/database.c|s/if (loot->is_applied) return;//'
    'tests/sim/body.c|s/\.newest_seq = q->newest_seq,/.newest_seq = (uint16_t)(q->newest_seq - 2),/'
    'zone/handoff_flight.c|s/    handoff_note_gone(h, &h->flights.i.);//'
    'zone/book.c|s/if (detach->reason == WIRE_DETACH_TAKEN_OVER) {/if (false) {/'
    'zone/handoff_source.c|s/ || is_doubted) return;/) return;/'
)

# plant N: one fault. Prints what came of it; 1 when it can't be planted or is not found.
plant() {
    local n=$1 begin=$SECONDS file=${FAULTS[$1 - 1]%%|*} change=${FAULTS[$1 - 1]#*|}
    local dir=$DIR/fault-$n object=$SIM_OUT/${FAULTS[$1 - 1]%%.c|*}.o
    mkdir -p "$dir"
    sed "$change" "$file" >"$dir/$(basename "$file")"
    if cmp -s "$file" "$dir/$(basename "$file")"; then
        echo "FAILED  fault $n: $file has nothing to change"
        return 1
    fi
    local -a compile link
    read -ra compile <<<"$SIM_CC -Wno-error -w"
    read -ra link <<<"$SIM_LINK"
    if ! "${compile[@]}" -c "$dir/$(basename "$file")" -o "$dir/fault.o" >"$dir/cc.log" 2>&1 ||
        ! "${compile[@]}" "${link[@]/#$object/$dir/fault.o}" -o "$dir/sim" >>"$dir/cc.log" 2>&1; then
        echo "FAILED  fault $n in $file can't be built; see $dir/cc.log"
        return 1
    fi
    local first=${FIRST[$n]:-1} end=$((${FIRST[$n]:-1} + SEEDS))
    while [ "$first" -lt "$end" ]; do
        if ! "$dir/sim" --first "$first" --seeds 20 >"$dir/trace.log" 2>"$dir/found.log"; then
            echo "ok      fault $n in $file is caught ($((SECONDS - begin)) s): $(head -n 1 "$dir/found.log")"
            return 0
        fi
        first=$((first + 20))
    done
    echo "FAILED  fault $n in $file is not caught by $SEEDS seeds"
    return 1
}

if [ $# -eq 0 ]; then
    for i in "${!FAULTS[@]}"; do set -- "$@" "$((i + 1))"; done
fi
failed=0
running=0
for n in "$@"; do
    if [ "$running" -ge "${JOBS:-1}" ]; then
        wait -n || failed=1
        running=$((running - 1))
    fi
    plant "$n" &
    running=$((running + 1))
done
while [ "$running" -gt 0 ]; do
    wait -n || failed=1
    running=$((running - 1))
done
exit "$failed"
