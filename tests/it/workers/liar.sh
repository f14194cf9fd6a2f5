#!/bin/sh
# A worker that takes a job and claims a result that it did not write.
printf '{"version":1}' >&0
head -c 1 >/dev/null
printf '{"Written":{"format":"png","dimensions":{"width":40,"height":40},"length":0}}' >&0
exec sleep 1000
