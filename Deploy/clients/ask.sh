#!/bin/sh
# Asks factord over HTTP: ask.sh PLACE METHOD [PARAMETERS], where PLACE is a URL or the path of a socket, such as
#   ask.sh http://127.0.0.1:5562 score '{"user": "ann", "items": ["alien", "brazil"]}'
set -eu
place=$1 method=$2 parameters=${3-}
[ -n "$parameters" ] || parameters='{}'
case $place in
    http*) set -- ;;
    *) set -- --unix-socket "$place" && place=http://localhost ;;
esac
exec curl --silent --show-error --fail-with-body --max-time 10 "$@" --data "$parameters" "$place/v1/$method"
