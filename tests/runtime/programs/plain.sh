#!/bin/sh
# A stdio program in plain shell: one tool, which adds nothing up but answers.
while read -r line; do
    id=$(printf '%s' "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
    case "$line" in
    *'"method":"initialize"'*)
        result='{"protocolVersion":"2024-11-05","capabilities":{"tools":{}},"serverInfo":{"name":"plain","version":"1"}}' ;;
    *'"method":"tools/list"'*)
        result='{"tools":[{"name":"add","inputSchema":{"type":"object"}}]}' ;;
    *'"method":"tools/call"'*)
        result='{"content":[{"type":"text","text":"5"}]}' ;;
    *)
        continue ;;
    esac
    printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$result"
done
