#!/usr/bin/env bash
# Hands each result to `tollgate notify`. What could not be sent (exit code 3) lies in an outbox that ends with this
# machine, so it is sent again here until the waits are used up; after that "Re-run jobs" does it all anew, and what was
# said already is not said twice.
set -euo pipefail
shopt -s nullglob

read -ra waits <<<"$INPUT_WAITS"
state=$RUNNER_TEMP/tollgate-state
mkdir -p "$state"

failed=0 unsent=0
results=()

# Says every result; what cannot be sent now leaves `unsent`, anything else that goes wrong `failed`.
say_results() {
    local result code
    unsent=0
    for result in "${results[@]}"; do
        code=0
        "$TOLLGATE" notify "--state=$state" "--result=$result" || code=$?
        case $code in
            0) ;;
            3) unsent=1 ;;
            *) failed=1 ;;
        esac
    done
}

# Of several artifacts each has a directory of its own; a single one is laid down without it.
for result in "$INPUT_RESULTS"/result.json "$INPUT_RESULTS"/*/result.json; do
    [[ -e $result || -L $result ]] || continue
    # A link could name any file of this machine. What the file says is for tollgate to judge.
    if [[ -L $result || -L ${result%/*} || ! -f $result ]]; then
        echo "::error title=tollgate::a result that is no plain file was left out"
        failed=1
        continue
    fi
    results+=("$result")
done
if ((${#results[@]} == 0)); then
    if [[ ${INPUT_CONCLUSION:-success} == success ]]; then
        echo "no result was uploaded: nothing was swept"
    else
        echo "::error title=tollgate::the sweep ended as $INPUT_CONCLUSION and left no result: its log says why"
        failed=1
    fi
fi
say_results

# With the results once more, not the outbox alone: what failed may have failed before anything was kept, and what was
# refused for good must not turn green because nothing waits.
for wait in "${waits[@]}"; do
    ((unsent)) || break
    echo "not everything could be sent; again in $wait s"
    sleep "$wait"
    say_results
done
if ((unsent)); then
    echo "::error title=tollgate::GitHub or a webhook does not take what is to be said; when it does again, re-run this job"
    exit 3
fi
exit "$failed"
