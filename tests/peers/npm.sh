#!/usr/bin/env bash
# Installs what package.json beside this names into DIR/node_modules, unless it is there.
#   tests/peers/npm.sh DIR
set -euo pipefail
wanted=$(dirname "$0")/package.json installed=$1/node_modules/installed.json
if ! cmp -s "$wanted" "$installed"; then
  echo "$(node -p 'Object.keys(require(process.argv[1]).dependencies).join(", ")' "$(realpath "$wanted")")" \
    "from npm into $1/node_modules"
  mkdir -p "$1"
  cp "$wanted" "$1/"
  npm install --silent --no-audit --no-fund --no-package-lock --prefix "$1"
  # Last: an installation that broke off is made again.
  cp "$wanted" "$installed"
fi
