#!/usr/bin/env bash
# kcat (Debian's, on librdkafka 2.0.2) against a Siltstone server: kcat.sh HOST:PORT
set -euo pipefail
address=$1
tag=$$-$RANDOM
check() { if [ "$2" = "$3" ]; then echo "ok: $1"; else printf 'FAILED: %s\nfound    %s\nexpected %s\n' "$1" "$2" "$3" >&2; exit 1; fi; }

for codec in none gzip snappy lz4 zstd; do
  topic=kcat-$codec-$tag
  seq 1 100 | sed 's/.*/key &:value &/' | kcat -P -b "$address" -t "$topic" -p 0 -K : -H kind=test -z "$codec" -X acks=all
  check "$codec: values" "$(kcat -C -b "$address" -t "$topic" -p 0 -e -q | sha256sum)" "$(seq 1 100 | sed 's/.*/value &/' | sha256sum)"
  check "$codec: key, header and offset" "$(kcat -C -b "$address" -t "$topic" -p 0 -o 41 -c 1 -e -q -f '%k %h %o')" "key 42 kind=test 41"
done
topic=kcat-none-$tag
check "the last three" "$(kcat -C -b "$address" -t "$topic" -p 0 -o -3 -e -q | tr '\n' ,)" "value 98,value 99,value 100,"
check "an offset by time" "$(kcat -Q -b "$address" -t "$topic:0:1000")" "$topic [0] offset 0"
check "the topic is listed" "$(kcat -L -b "$address" -t "$topic" -J | grep -c "\"topic\":\"$topic\"")" 1
group=kcat-readers-$tag
check "a group reads everything" "$(timeout 60 kcat -b "$address" -G "$group" -X auto.offset.reset=earliest -c 100 -q "$topic" 2>/dev/null | wc -l)" 100
echo "value 101" | kcat -P -b "$address" -t "$topic" -p 0
check "and goes on where it was" "$(timeout 60 kcat -b "$address" -G "$group" -X auto.offset.reset=earliest -c 1 -q "$topic" 2>/dev/null)" "value 101"
