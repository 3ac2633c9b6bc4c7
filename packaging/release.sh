#!/usr/bin/env bash
# packaging/release.sh TAG: makes target/dist: the archive, its checksums, a bill of materials, the release's text.
set -euo pipefail
cd "$(dirname "$0")/.."
tag=$1
# With it, and build scripts apart, the program holds its C library, which resolves names without the host's since glibc 2.34.
target=x86_64-unknown-linux-gnu

fail() {
    echo "packaging/release.sh: $*" >&2
    exit 1
}

id=$(cargo pkgid --package tollgate)
version=${id##*[#@]}
[[ $tag == "v$version" ]] || fail "the tag is $tag, but Cargo.toml says $version"
notes=$(sed -n "/^## \[\?$version\b/,/^## /{/^## /d;p}" CHANGELOG.md)
[[ -n ${notes//[[:space:]]/} ]] || fail "CHANGELOG.md has no section $version"

RUSTFLAGS="-C target-feature=+crt-static" cargo build --profile dist --locked --bin tollgate --target "$target"
program=${CARGO_TARGET_DIR:-target}/$target/dist/tollgate
# A dynamic program names its loader and its libraries.
headers=$(readelf --program-headers "$program")
[[ $headers == *LOAD* && $headers != *INTERP* ]] || fail "$program asks for a loader: it is not static"
libraries=$(readelf --dynamic "$program")
[[ $libraries != *NEEDED* ]] || fail "$program needs libraries: it is not static"

rm -rf target/dist
mkdir -p target/dist
# The program is bound to the commit's time, so that one commit gives one archive.
when=$(git -c safe.directory="$PWD" log -1 --format=%ct)
name=tollgate-$version-x86_64-linux
mkdir "target/dist/$name"
install -m 755 "$program" "target/dist/$name/tollgate"
install -m 644 README.md CHANGELOG.md SECURITY.md LICENSE-APACHE LICENSE-MIT "target/dist/$name/"
install -D -m 644 --target-directory "target/dist/$name/systemd" packaging/systemd/*
tar --create --directory target/dist --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$when" "$name" |
    gzip --no-name -9 >"target/dist/$name.tar.gz"
rm -r "target/dist/$name"

cargo install --quiet --locked --version 0.5.9 --root target/release-tools cargo-cyclonedx
PATH=$PWD/target/release-tools/bin:$PATH SOURCE_DATE_EPOCH=$when \
    cargo cyclonedx --quiet --format json --spec-version 1.5 --override-filename tollgate.cdx
# Where it was built is nobody's business, and another directory shall give the same file.
sed "s|$PWD|/tollgate|g" tollgate.cdx.json >target/dist/tollgate.cdx.json
rm -f tollgate.cdx.json agent/tollgate.cdx.json

(cd target/dist && sha256sum "$name.tar.gz" tollgate.cdx.json >SHA256SUMS)
cat >target/dist/NOTES.md <<EOF
$notes

x86-64 Linux, static: it needs no library of the host, only its CA certificates for GitHub and webhooks. \`$(grep tar.gz target/dist/SHA256SUMS)\`

Where it was built: \`gh attestation verify $name.tar.gz --repo ${GITHUB_REPOSITORY:-OWNER/REPOSITORY}\`. What is in it: \`tollgate.cdx.json\` (CycloneDX).
EOF
echo "target/dist:" && ls -l target/dist
