#!/bin/sh
# What requirements/airgap.sh runs inside the namespace: sh airgap_inside.sh FOLDER, which holds wheelhouse/ and, maybe, debs/.
set -eu
place=$1

stop() {
    printf 'airgap: %s\n' "$1" >&2
    exit 1
}

# /sys shows the interfaces of the namespace that mounted it; the checkout is put out of reach.
mount -t sysfs none /sys
mount -t tmpfs none "$CHECKOUT"
cd "$place/work"

echo "== no network, no checkout"
interfaces=$(cut -d: -f1 -s /proc/net/dev | tr -d ' ' | tr '\n' ' ')
routes=$(tail -n +2 /proc/net/route | wc -l)
echo "interfaces: $interfaces; routes: $routes; files of the checkout: $(ls -A "$CHECKOUT" | wc -l)"
[ "$interfaces" = "lo " ] || stop 'this namespace has a network interface'
[ "$routes" = 0 ] || stop 'this namespace has a route'
[ -z "$(ls -A "$CHECKOUT")" ] || stop 'the checkout can be reached'

echo "== not installed: a wheel with one byte more, whose sum was made anew"
cp -r "$place/wheelhouse" "$place/forged"
(cd "$place/forged" && printf x >>"$(echo tomlkit-*.whl)" && rm SHA256SUMS && sha256sum -- * >../sums && mv ../sums SHA256SUMS)
if sh "$place/forged/install.sh" "$place/other" >forged.log 2>&1; then stop 'a forged wheel was installed'; fi
grep 'DO NOT MATCH THE HASHES' forged.log || stop 'the forged wheel was refused for another reason'
[ ! -e "$place/other" ] || stop 'something was left of it'
rm -r "$place/forged"

echo "== installed from the folder alone"
sh "$place/wheelhouse/install.sh" "$place/program"
[ ! -d "$place/debs" ] || mv "$place/debs" "$place/program/debs"
PATH=$place/program/bin:$PATH
wheel=$(sha256sum "$place"/wheelhouse/root_ceremony-*.whl | cut -d' ' -f1)
ceremony --version | grep -q "SHA-256 $wheel,"
ceremony --version | grep -q '^files: as in the wheel$'
if python -c 'import pip' 2>/dev/null; then stop 'pip was installed'; fi
for shared in man/man1/ceremony.1 bash-completion/completions/ceremony zsh/site-functions/_ceremony fish/vendor_completions.d/ceremony.fish; do
    [ -s "$place/program/share/$shared" ]
done

if "$PYTHON" -c 'import ensurepip' 2>/dev/null; then
    echo "== installed by the plain commands"
    (
        cd "$place/wheelhouse"
        sha256sum --quiet -c SHA256SUMS
        "$PYTHON" -m venv "$place/plain"
        "$place/plain/bin/pip" install -q --no-index --find-links . --require-hashes -r requirements.txt
        "$place/plain/bin/ceremony" --version | sed -n 3,4p
        "$place/plain/bin/ceremony" --version | grep -q "SHA-256 $wheel,"
    )
fi

echo "== rehearsed"
scripts=$(python -c 'from ceremony.shipped import folder; print(folder())')
ceremony rehearse "$scripts/first-ceremony.toml" --answers "$scripts/first-ceremony.answers.toml" --dir rehearsal >rehearsal.log 2>&1 || {
    tail -n 30 rehearsal.log
    exit 1
}
last=$(ls -d rehearsal/bundles/* | sort -V | tail -n 1)
fingerprint=$(tail -n 1 "$last/record/transcript.jsonl" | sha256sum | cut -d' ' -f1)
ceremony verify "$last" --fingerprint "$fingerprint" | tail -n 1

echo "== what the machine check found"
exec python - "$last/record/transcript.jsonl" "$wheel" <<'PYTHON'
import json
import sys

lines = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
tool = lines[0]["data"]["tool"]
assert (tool["wheel_sha256"], tool["altered"]) == (sys.argv[2], []), tool
checks = [line["data"]["value"]["findings"] for line in lines if line["type"] == "result" and line["data"].get("verb") == "check-machine"]
assert checks
worst = {}
for finding in (finding for findings in checks for finding in findings):
    if finding["check"] not in worst or worst[finding["check"]]["verdict"] == "ok":
        worst[finding["check"]] = finding
for name, finding in worst.items():
    print(f"{finding['verdict'].upper():8} {name}: {finding['detail']}")
print(f"{len(checks)} machine checks")
# No battery clock can be seen in a container; all else must be as in production.
bad = [name for name, finding in worst.items() if finding["verdict"] != "ok" and not (name == "clock" and finding["verdict"] == "unknown")]
sys.exit(f"not as in production: {', '.join(bad)}" if bad else 0)
PYTHON
