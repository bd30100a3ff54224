#!/bin/bash
# load_test.sh BIN_DIR CONFIG CLIENTS DURATION RATE BEHAVIOUR: starts a private cluster in a temporary folder, lets bots play,
# prints the swarm's report and the cluster's status, and ends it. Exits as swarm does. JSON=1 prints the report as JSON,
# ARGUMENTS has further ones for swarm.
# shellcheck disable=SC2317 # finish is called by the trap
set -eu
bin=$1 config=$2 clients=$3 duration=$4 rate=$5 behaviour=$6
run_dir=$(mktemp -d)
finish() {
    "$bin/zonectl" down --run-dir "$run_dir/run" 2>/dev/null || true
    rm -rf "$run_dir"
}
trap finish EXIT
trap 'exit 130' INT TERM

# Snapshots come as often as inputs go.
sed -E "s/^( +snapshot_hz:) *[0-9]+/\1 $rate/" "$config" >"$run_dir/load.yaml"
"$bin/zonectl" up --detach --config "$run_dir/load.yaml" --run-dir "$run_dir/run" >&2

code=0
# shellcheck disable=SC2086 # several arguments
"$bin/swarm" --run-dir "$run_dir/run" --clients "$clients" --duration "$duration" --rate "$rate" --behaviour "$behaviour" \
    ${JSON:+--json} ${ARGUMENTS:-} || code=$?
"$bin/zonectl" status --run-dir "$run_dir/run" >&2 || true
exit "$code"
