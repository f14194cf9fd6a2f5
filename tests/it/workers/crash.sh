#!/bin/sh
# A worker that takes a job and dies of a bad access.
ulimit -c 0
printf '{"version":1}' >&0
head -c 1 >/dev/null
kill -SEGV $$
