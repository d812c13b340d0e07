#!/bin/sh
# A tool in shell: fetches numbers, says whether they are prime. Needs curl and jq.
#
#   penstock tools register checknumber --pull
#   PENSTOCK_URL=http://127.0.0.1:8090 examples/tools/checknumber.sh
#
# COUNT=n ends it after n tasks; PENSTOCK_TOKEN is sent when it is set.
set -eu
url=${PENSTOCK_URL:-http://127.0.0.1:8090}
tool=${TOOL:-checknumber}
left=${COUNT:--1}

ask() { # PATH-AND-QUERY [further options of curl]
  path=$1
  shift
  curl --silent --show-error --fail-with-body ${PENSTOCK_TOKEN:+--oauth2-bearer "$PENSTOCK_TOKEN"} "$@" "$url$path"
}

say() { # TASK WHAT DATA: one event that answers the task
  jq --null-input --compact-output --argjson task "$1" --arg what "$2" --argjson data "$3" '{
    specversion: "1.0", source: "/tools/checknumber.sh", id: "\($task.id)/\($task.penstocklease)/\($what)",
    type: ($task.type | sub("triggered$"; $what)), triggeredid: $task.id,
    penstocktool: $task.penstocktool, penstocklease: $task.penstocklease, data: $data}' |
    ask /api/v1/events --header 'Content-Type: application/cloudevents+json' --data-binary @- >/dev/null
}

is_prime() { # NUMBER
  [ "$1" -ge 2 ] || return 1
  divisor=2
  while [ $((divisor * divisor)) -le "$1" ]; do
    [ $(($1 % divisor)) -ne 0 ] || return 1
    divisor=$((divisor + 1))
  done
}

while [ "$left" -ne 0 ]; do
  tasks=$(ask "/api/v1/tools/$tool/work?wait=30") || { sleep 1; continue; }
  task=$(printf %s "$tasks" | jq --compact-output '.[0] // empty')
  [ -n "$task" ] || continue
  say "$task" started '{}'
  number=$(printf %s "$task" | jq --raw-output '.data.number | select(type == "number") | floor')
  if [ -z "$number" ]; then
    say "$task" finished '{"status": "errored", "message": "number is missing"}'
  elif is_prime "$number"; then
    say "$task" finished '{"prime": true}'
  else
    say "$task" finished '{"prime": false}'
  fi
  left=$((left - 1))
done
