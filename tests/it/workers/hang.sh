#!/bin/sh
# A worker that takes a job and never answers.
printf '{"version":1}' >&0
head -c 1 >/dev/null
exec sleep 1000
