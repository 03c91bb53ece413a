#!/bin/sh
# Run by root: the tests that depend on rights once more, as an ordinary user, on a copy of the checkout which that user can read.
# An ordinary user runs the whole suite as itself, and nothing is left to do here.
set -eu

cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || exit 0
USER_ID=65534
copy=$(mktemp -d "${TMPDIR:-/tmp}/latticewall-ordinary.XXXXXX")
trap 'rm -rf "$copy"' EXIT
trap 'exit 130' INT TERM

python=$(readlink -f .venv/bin/python)
chmod 755 "$copy"
if ! setpriv --reuid "$USER_ID" --regid "$USER_ID" --clear-groups "$python" -c '' 2>/dev/null; then
    echo "ordinary user: skipped: $python cannot be run by an ordinary user; remove .venv and make it with the system's Python" >&2
    [ "${CI:-}" != true ] || exit 1
    exit 0
fi
for part in src tests bench examples scripts pyproject.toml README.md Makefile .venv; do
    [ ! -e "$part" ] || cp -a "$part" "$copy/"
done
# the environment's scripts and its path to the sources name the folder that they were made in
grep -lIrF "$PWD" "$copy/.venv/bin" "$copy"/.venv/lib/python*/site-packages/*latticewall*.pth | while read -r file; do
    sed -i "s|$PWD|$copy|g" "$file"
done
mkdir -p "$copy/home" "$copy/tmp"
chown -R "$USER_ID:$USER_ID" "$copy"

echo "ordinary user: namespace tests and a whole region as user $USER_ID"
cd "$copy"
setpriv --reuid "$USER_ID" --regid "$USER_ID" --clear-groups env -i \
    HOME="$copy/home" TMPDIR="$copy/tmp" PATH="$copy/.venv/bin:/usr/local/bin:/usr/bin:/bin" LANG=C.UTF-8 ${CI:+CI="$CI"} \
    .venv/bin/python -m pytest -q -p no:cacheprovider -n 4 --dist loadfile --no-loadscope-reorder \
    -m "(netns or scenario) and not engines" tests/dataplane tests/cli/test_cli_region.py tests/scenario \
    --deselect tests/scenario/test_scenarios.py::test_service_network_again_and_again
