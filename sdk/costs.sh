#!/bin/sh
# What a plugin of kind `attributes` costs per span in each language: the table in README.md.
#
#     sdk/costs.sh [TAILRACE]
#
# Makes a new project for each language, builds it and benches it with three configurations. A language whose toolchain is
# missing is left out; for JavaScript and Python the packages are fetched. Run it on a machine that does nothing else.
set -u
tailrace=${1:-tailrace}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1

one='"user.email"'
eight='"user.email", "url.path", "url.full", "server.address", "server.port", "http.request.method", "http.response.status_code", "network.protocol.version"'

# A cache of its own: what is compiled is compiled here.
export TAILRACE_CACHE_DIR="$folder/cache"

# bench LANG KEYS: one run, remembered for `figure`.
bench() {
    "$tailrace" plugin bench "$1/dist/$1.wasm" --json --for "${SECONDS_EACH:-3}s" --config "{\"mask\": [$2]}" >run.json
}

# figure FIELD: nanoseconds. This run stands in front of the last one.
figure() {
    sed -n "s/^ *\"$1\": \([0-9.]*\).*/\1/p" run.json | head -n 1
}

printf '%-8s %12s %12s %12s %14s %16s %10s\n' '' 'absent, ns' 'one key, ns' 'eight, ns' 'to compile, ms' 'instance in, us' 'file, kB'
for lang in rust c go js python; do
    "$tailrace" plugin new "$lang" --lang "$lang" >/dev/null || exit 1
    case $lang in
    js) npm install --silent --prefix js >/dev/null 2>&1 ;;
    python) python3 -m venv python/.venv && python/.venv/bin/pip install --quiet -r python/requirements.txt ;;
    esac
    "$tailrace" plugin build "$lang" >/dev/null || continue
    bench "$lang" '"nowhere"'
    absent=$(figure total) compile=$(figure compile)
    bench "$lang" "$one"
    single=$(figure total) instance=$(figure instantiate)
    bench "$lang" "$eight"
    all=$(figure total)
    size=$(wc -c <"$lang/dist/$lang.wasm")
    echo "$lang $absent $single $all $compile $instance $size" |
        awk '{printf "%-8s %12.0f %12.0f %12.0f %14.0f %16.0f %10.0f\n", $1, $2, $3, $4, $5 / 1e6, $6 / 1e3, $7 / 1e3}'
done
