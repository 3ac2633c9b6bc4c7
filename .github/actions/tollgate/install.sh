#!/usr/bin/env bash
# Finds tollgate, or downloads the release that was asked for and holds it against its checksum. The path becomes the
# step's output `binary`.
set -euo pipefail

fail() {
    echo "::error title=tollgate::$*"
    exit 2
}

if [[ -n $INPUT_BINARY ]]; then
    binary=$(realpath -e -- "$INPUT_BINARY") || fail "binary: $INPUT_BINARY is not there"
elif [[ -n $INPUT_VERSION ]]; then
    [[ $INPUT_VERSION =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || fail "version: must be like 0.1.0"
    [[ $INPUT_SHA256 =~ ^[0-9a-f]{64}$ ]] ||
        fail "sha256: 64 hexadecimal digits are needed with version: a download without its checksum is not run as root"
    # An action that lies in the workflow's own repository has no repository of its own.
    name=tollgate-$INPUT_VERSION-x86_64-linux.tar.gz
    from=$GITHUB_SERVER_URL/${ACTION_REPOSITORY:-$GITHUB_REPOSITORY}/releases/download/v$INPUT_VERSION/$name
    into=$RUNNER_TEMP/tollgate-$INPUT_VERSION
    mkdir -p "$into"
    curl --fail --silent --show-error --location --retry 3 --max-time 300 --output "$into/$name" "$from" ||
        fail "$from cannot be downloaded"
    echo "$INPUT_SHA256  $into/$name" | sha256sum --check --status ||
        fail "$name does not have the checksum $INPUT_SHA256: it is not the release that you pinned"
    tar --extract --gzip --file "$into/$name" --directory "$into" --strip-components 1 --no-same-owner
    binary=$into/tollgate
else
    binary=$(command -v tollgate) || fail "tollgate is not on the PATH: give binary, or version and sha256"
fi
[[ -x $binary && ! -d $binary ]] || fail "$binary is no program"
echo "binary=$binary" >>"$GITHUB_OUTPUT"
