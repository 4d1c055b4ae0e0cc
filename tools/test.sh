#!/bin/sh
# All tests on two cores: the fast ones, then those that take long or start processes. Arguments
# go to both; both run, so that one look shows everything.
set -u
# Tests start hundreds of processes: whoever forbids bytecode has each of them compile everything.
export PYTHONDONTWRITEBYTECODE=
pytest=".venv/bin/python -m pytest"

$pytest -n 2 --dist loadfile -m "not slow and not e2e and not chaos" "$@"
first=$?
$pytest -n 2 --dist loadfile -m "(slow or e2e) and not chaos" "$@"
second=$?

# Nothing chosen (5) is a mistake only if neither part had anything.
if [ "$first" -eq 5 ]; then exit "$second"; fi
if [ "$second" -eq 5 ]; then exit "$first"; fi
if [ "$first" -ne 0 ]; then exit "$first"; fi
exit "$second"
