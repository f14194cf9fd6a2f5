#!/bin/sh
# A worker that takes a job and answers nonsense.
printf '{"version":1}' >&0
head -c 1 >/dev/null
printf 'nonsense' >&0
exec sleep 1000
