#!/usr/bin/env bash
# From a fresh clone to revenue figures: see usage() below, or ./start.sh --help.
set -euo pipefail

usage() {
    cat <<'USAGE'
./start.sh [--docker] [--stripe DIR]

Brings a database up, migrates it, simulates ABC Enterprises if it is empty, and prints the
headline KPIs and the monthly table. Run again, it changes nothing and prints the same.

  --stripe DIR   import the Stripe export in DIR (customers.csv, invoices.csv) into a database
                 of its own and print the same tables for it
  --docker       use PostgreSQL in Docker (docker-compose.yml) instead of the embedded server
  --help         this text

DATABASE_URL=postgresql://… ./start.sh uses your own server.
USAGE
}

fail() { # what is wrong, the command that mends it
    printf 'error: %s; to mend it: %s\n' "$1" "$2" >&2
    exit 1
}

# The directory of this script, whatever links lead to it.
checkout() {
    local script=${BASH_SOURCE[0]} link
    while [ -L "$script" ]; do
        link=$(readlink "$script")
        case $link in
            /*) script=$link ;;
            *) script=$(dirname -- "$script")/$link ;;
        esac
    done
    CDPATH='' cd -- "$(dirname -- "$script")" && pwd -P
}

# Sets `compose` to the command at hand, version 2 or 1.
find_compose() {
    local complaint
    command -v docker >/dev/null ||
        fail "Docker is not installed" "https://docs.docker.com/get-docker/, or leave --docker out"
    if ! complaint=$(docker info 2>&1 >/dev/null); then
        case $complaint in
            *"permission denied"*) fail "$(id -un) may not use Docker" "sudo usermod -aG docker $(id -un), then log in again" ;;
        esac
        [ "$(uname)" = Darwin ] && fail "Docker is not running" "open -a Docker"
        fail "Docker is not running" "sudo systemctl start docker"
    fi
    if docker compose version >/dev/null 2>&1; then
        compose=(docker compose)
    elif command -v docker-compose >/dev/null; then
        compose=(docker-compose)
    else
        fail "Docker has no compose command" "sudo apt-get install docker-compose"
    fi
    compose+=(--file "$root/docker-compose.yml")
}

# Brings the container up, waits until it is healthy, and points DATABASE_URL to it.
start_docker() {
    local database=$1 log container state waited=0
    find_compose
    log=$(mktemp)
    if ! "${compose[@]}" up --detach db 2>&1 </dev/null | tee "$log" >&2; then
        state=$(cat "$log") && rm "$log"
        case $state in
            *"already allocated"* | *"already in use"*)
                fail "the port of the database is taken" "PGMRR_PORT=$((${PGMRR_PORT:-54329} + 1)) ./start.sh --docker" ;;
        esac
        fail "Docker could not start the database" "${compose[*]} up db"
    fi
    rm "$log"

    container=$("${compose[@]}" ps --quiet db)
    until state=$(docker inspect --format '{{.State.Status}} {{.State.Health.Status}}' "$container") &&
        [ "$state" = "running healthy" ]; do
        waited=$((waited + 1))
        if [ "$waited" -gt 120 ] || [ "${state%% *}" = exited ]; then
            fail "the database in Docker is $state" "${compose[*]} logs db"
        fi
        sleep 1
    done

    PGPASSWORD=$("${compose[@]}" exec -T db printenv POSTGRES_PASSWORD </dev/null)
    DATABASE_URL="postgresql://postgres@$("${compose[@]}" port db 5432)/$database"
    export PGPASSWORD DATABASE_URL
    echo "the database is at $DATABASE_URL" >&2
}

docker=no database=abc arguments=()
for argument in "$@"; do
    case $argument in
        --help | -h) usage && exit ;;
        --docker) docker=yes ;;
        --stripe | --stripe=*) database=stripe && arguments+=("$argument") ;;
        *) arguments+=("$argument") ;;
    esac
done

root=$(checkout)
if [ "$docker" = yes ]; then
    [ -z "${DATABASE_URL:-}" ] || fail "both DATABASE_URL and --docker name a database" "unset DATABASE_URL"
    start_docker "$database"
fi
"$root/build.sh"
exec "$root/.venv/bin/pgmrr" start ${arguments[@]+"${arguments[@]}"}
