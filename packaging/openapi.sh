#!/usr/bin/env bash
# Makes the part of GitHub's own OpenAPI description that the tests' fake of GitHub is held against, below target/tools
# unless it is there, and prints its path. The npm package that holds it has 28 MB, so that it is not in the repository.
set -euo pipefail
cd "$(dirname "$0")/.."
version=23.0.2
sha512=a55f0cecbf46636dc0c9b36f4e6a369f28e6a669edebedac444fedaabd192d070f4b8967c3bbb979918d9b044d9010b70fb8195db171e401f32d455105718386

fail() {
    echo "packaging/openapi.sh: $*" >&2
    exit 1
}

tools=$(packaging/tools.sh)
key=$(cat packaging/openapi.sh packaging/tools/openapi.py packaging/tools/github-operations.txt | sha256sum | cut -c1-16)
made=$(realpath -m "${CARGO_TARGET_DIR:-target}/tools")/openapi-$key.json
exec 9>"${made%/*}/lock"
flock 9
if [[ ! -e $made ]]; then
    work=$(mktemp -d "${made%/*}/openapi.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    (cd "$work" && PATH=$tools:$PATH npm pack --silent --ignore-scripts "@octokit/openapi@$version" >/dev/null) ||
        fail "npm could not fetch @octokit/openapi $version: is the npm registry reachable?"
    archive=$work/octokit-openapi-$version.tgz
    found=$(sha512sum "$archive" | cut -d' ' -f1)
    [[ $found == "$sha512" ]] || fail "@octokit/openapi $version has the checksum $found, not $sha512"
    tar --extract --gzip --file "$archive" --directory "$work" package/generated/api.github.com.json
    python3 packaging/tools/openapi.py packaging/tools/github-operations.txt \
        <"$work/package/generated/api.github.com.json" >"$work/made.json"
    mv "$work/made.json" "$made"
fi
echo "$made"
