"""Is a token fit for a ceremony, or for this script? Looked at before the day, since a token refuses in the middle of it otherwise.

What a token can do is its own word and its profile's (hsm.abilities); nothing is made on it and no PIN is tried.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from ceremony.activation.arrangement import WHICH
from ceremony.machine.checks import Finding
from ceremony.pki.names import shown_text
from ceremony.script import Script
from hsm.facts import TRIES_IN_WORDS, TokenAbilities, TokenInfo

_ANOTHER = "Take another token; docs/tokens.md tells what is known of which."


def token_findings(
    seen: Sequence[tuple[TokenInfo, TokenAbilities]], script: Script | None, named: Mapping[str, str] | None = None
) -> list[Finding]:
    """A finding for each token that a ceremony could use: of those that `named` (the site file's serials) names, if it names any.

    With a script: can it do what the script's steps ask? Without one: can it hold a root's key at all?
    """
    serials = set((named or {}).values())
    looked_at = [pair for pair in seen if not serials or pair[0].serial in serials]
    steps = {str(step.__struct_config__.tag) for step in script.steps} if script else set[str]()
    if script and (wanted := _state_wanted(steps)):
        looked_at = [pair for pair in looked_at if pair[0].initialised == (wanted == "initialised")]
        if not looked_at:
            do_now = "Put such a token in; `ceremony tokens` lists what is there."
            return [Finding("token", "found", f"No token that is {wanted} is there, and the script begins with one.", do_now)]
    return [_finding(info, abilities, script, steps) for info, abilities in looked_at]


def _state_wanted(steps: set[str]) -> str:
    if "initialise-token" in steps:
        return "blank"
    return "initialised" if "unlock" in steps else ""


def _finding(info: TokenInfo, abilities: TokenAbilities, script: Script | None, steps: set[str]) -> Finding:
    name = shown_text(info.serial if info.initialised else f"{info.serial} (blank)").strip()
    problems = list(_problems_with_pins(info))
    problems += _problems_with_script(info, abilities, script, steps) if script else _problems_with_any(abilities)
    if problems:
        return Finding(f"token {name}", "found", " ".join(problems), _ANOTHER)
    makes = ", ".join(key for key, why in abilities.keys.items() if not why)
    notes = [f"Makes and uses keys of {makes}.", abilities.initialisation, abilities.so_pin, abilities.pin_change]
    software = "It keeps keys in software: fit for rehearsals only." if info.software else ""
    return Finding(f"token {name}", "ok", " ".join(filter(None, (*notes, software))))


def _problems_with_pins(info: TokenInfo) -> Iterator[str]:
    for pin, tries in (("user PIN", info.pin_tries), ("SO PIN", info.so_pin_tries)):
        if tries in ("final", "locked"):
            yield f"{pin}: {TRIES_IN_WORDS[tries]}."


def _problems_with_any(abilities: TokenAbilities) -> Iterable[str]:
    if all(abilities.keys.values()):
        yield from ("It makes no kind of key that a root may have.", *dict.fromkeys(abilities.keys.values()))


def _problems_with_script(info: TokenInfo, abilities: TokenAbilities, script: Script, steps: set[str]) -> Iterator[str]:
    root_key = script.root.key
    if why := abilities.keys.get(root_key):
        yield f"[root] key {root_key}: {why}"
    if "generate-root" in steps and abilities.random:
        yield f"No random bytes for the serials: {abilities.random}."
    if "initialise-token" in steps and abilities.initialisation:
        yield f"initialise-token: {abilities.initialisation}"
    if "change-activation" in steps and (why := abilities.so_pin or abilities.pin_change):
        yield f"change-activation: {why}"
    shared = any(script.activation.held(which, before=before).kind == "shared-pin" for which in WHICH for before in (True, False))
    if shared and (why := abilities.so_pin):
        yield f"A PIN that is split into shares needs a security officer: {why}"
