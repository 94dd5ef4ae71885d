#!/bin/sh
# Ends neither with its stdin nor at SIGTERM, and has a child that does not either.
trap '' TERM
sleep 1000 &
printf '%s %s' $$ $! > pids
read -r _
printf '{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"x","version":"1"}}}\n'
while :; do sleep 1; done
