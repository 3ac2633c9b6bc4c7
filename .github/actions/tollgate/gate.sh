#!/usr/bin/env bash
# Turns the action's inputs into arguments of `tollgate gate`. The gate itself writes outputs, summary and annotations,
# and its exit code is the step's.
set -euo pipefail

is_true() { # NAME VALUE
    case $2 in
        true) return 0 ;;
        false) return 1 ;;
        *)
            echo "::error title=tollgate::$1: must be true or false"
            exit 2
            ;;
    esac
}

mkdir -p -- "$INPUT_OUTPUT"
# NAME=VALUE in one word, so that no value is taken for an option.
args=("--profile=$INPUT_PROFILE" "--output=$INPUT_OUTPUT")
[[ -z $INPUT_BUDGET ]] || args+=("--budget=$INPUT_BUDGET")
[[ -z $INPUT_BASELINES ]] || args+=("--baselines=$INPUT_BASELINES")
[[ -z $INPUT_STATE ]] || args+=("--state=$INPUT_STATE")
if is_true always "$INPUT_ALWAYS"; then args+=(--always); fi
if is_true strict "$INPUT_STRICT"; then args+=(--strict); fi
if is_true provision "$INPUT_PROVISION"; then args+=(--provision); fi
if is_true allow-fork "$INPUT_ALLOW_FORK"; then args+=(--allow-fork); fi
if ! is_true record "$INPUT_RECORD"; then args+=(--no-record); fi
exec "$TOLLGATE" gate "${args[@]}"
