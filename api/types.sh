#!/usr/bin/env bash
# Writes the console's types of the interface from its document, after every change of api/openapi.json.
#   api/types.sh [FILE]      without FILE api/console/src/api.d.ts
# openapi-typescript gets no more updates since September 2026. It is used here alone, reads no document but ours, and
# what it writes is in git: another generator can take its place when it fails.
set -euo pipefail
file=${1:+$(realpath -m -- "$1")}
cd "$(dirname "$0")/.."
peers=${WARP_TEST_PEERS:-${CARGO_TARGET_DIR:-target}/tests-env}
tests/peers/npm.sh "$peers"
file=${file:-api/console/src/api.d.ts}
mkdir -p "$(dirname "$file")"
# A field that has a default may be left out of a request, so its type is optional.
exec "$peers/node_modules/.bin/openapi-typescript" api/openapi.json --default-non-nullable=false --output "$file"
