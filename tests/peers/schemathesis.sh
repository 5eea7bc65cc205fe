#!/usr/bin/env bash
# The long run: the interface of a node that runs, against its own document.
#   tests/peers/schemathesis.sh URL TOKEN [EXAMPLES]
set -euo pipefail
cd "$(dirname "$0")"
peers=${WARP_TEST_PEERS:-../../target/tests-env}
exec "$peers/venv/bin/schemathesis" --config-file schemathesis.toml run "$1/openapi.json" \
  --header "Authorization: Bearer $2" --checks all --max-examples "${3:-1000}" --workers 2
