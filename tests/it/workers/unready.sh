#!/bin/sh
# A program that is no worker.
exit 3
