#!/usr/bin/env bash
# Installs what looks at pages in the tests, unless it is there: Debian's Chromium, and playwright-core, axe-core and html-validate (pinned with
# hashes in tests/browser/) below target/tools. Prints the directory of the latter, then that of node.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    echo "packaging/browser.sh: $*" >&2
    exit 1
}

bin=$(packaging/tools.sh)
root=$(realpath -m "${CARGO_TARGET_DIR:-target}/tools")
key=$(cat tests/browser/package.json tests/browser/package-lock.json | sha256sum | cut -c1-16)
dir=$root/browser-$key
exec 9>"$root/browser-lock"
flock 9

if [[ ! -x /usr/bin/chromium ]]; then
    echo "installing chromium" >&2
    { apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends chromium; } >&2 ||
        fail "chromium is missing and apt-get cannot install it (it needs root and a network)"
fi
if [[ ! -e $dir/complete ]]; then
    rm -rf "$dir"
    mkdir -p "$dir"
    cp tests/browser/package.json tests/browser/package-lock.json "$dir/"
    PATH=$bin:$PATH npm ci --prefix "$dir" --ignore-scripts --no-audit --no-fund --loglevel=error >&2 ||
        fail "npm could not install tests/browser/package-lock.json: is the npm registry reachable?"
    touch "$dir/complete"
fi
echo "$dir"
echo "$bin"
