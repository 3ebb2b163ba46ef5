"""import-request: what came in over the air gap is copied, checked, and vouched for from paper (design, rule 3)."""

import datetime as dt
from collections.abc import Generator, Iterable
from typing import Any, Final

import msgspec
from cryptography import x509

from ceremony.engine.step import Act, Ask, Known, Request, Run, Show, Step, World
from ceremony.errors import CeremonyError
from ceremony.pki.csr import problems_with_csr, read_csr
from ceremony.pki.device_registry import problems_with_planned_issuing_ca, problems_with_root
from ceremony.pki.names import name_text, shown_text
from ceremony.pki.profiles import intermediate_profile
from ceremony.pki.reissuing import problems_with_reissued
from ceremony.steps.medium import inbound_medium
from ceremony.steps.reissued import reissued_by
from ceremony.steps.typed_code import code_typed
from ceremony.words import words_of

_CLOCKS_DIFFER: Final = dt.timedelta(minutes=10)
"""How far the clock of the online side may be ahead of ours."""

_BY_HAND: Final = "by hand"


class ImportRequest(Step, frozen=True, tag="import-request"):
    """Takes each request on the inbound medium until all that the script names has come in, and nothing else.

    Where the script allows it a verification code is typed instead.
    """

    confirmers = 1

    def requires(self, world: World, script: Any) -> Iterable[str]:
        """Something to import, people, and a root that a proof can name."""
        if not script.intermediates and not script.proofs:
            yield "the script names no intermediate and no proof: there is nothing to import"
        if world.requests:
            yield "everything that the script names came in already"
        if world.root == "present":
            yield "the root of the last bundle is not taken up yet: use-root must come before"
        elif world.root != "certified":
            yield "the root has no certificate yet: requests name it"
        if not world.roll_called:
            yield "no roll-call since the start of the session"
        if not world.clock_checked:
            yield "no check-clock since the start of the session: the request's time is compared with it"

    def leads_to(self, world: World, script: object) -> World:
        """The requests are in."""
        return msgspec.structs.replace(world, requests=True)

    def run(self, known: Known) -> Run:
        """Imports until complete; a request that does not fit is refused whole, and another medium can be tried.

        Raises CeremonyError REISSUE-UNKNOWN, REISSUE-PURPOSE, REISSUE-REVOKED before anything comes in.
        """
        csrs: dict[str, Any] = {}
        proofs: dict[str, Any] = {}
        seen: list[str] = []
        turn = 0
        reissued_by(known)
        while missing := missing_of(known.script, csrs, proofs):
            turn += 1
            by_hand = next((entry for entry in known.script.proofs if entry.typed and entry.service not in proofs), None)
            shown = ("Still to come in:", *(f"  {line}" for line in missing), "Put in the inbound medium.")
            choices: tuple[str, ...] = ()
            if by_hand is not None:
                shown += (f"The code of {by_hand.service} may be typed from paper instead: answer: {_BY_HAND}",)
                choices = (_BY_HAND,)
            text = "Is the inbound medium in?"
            how = yield Ask(key=f"medium/{turn}", text=text, by=self.actor, shown=shown, accept="import", choices=choices)
            if how == _BY_HAND and by_hand is not None:
                service, people = by_hand.service, (self.actor, self.confirm[0])
                code = yield from code_typed(known, f"typed/{turn}/{service}", service, by_hand.certificate, people)
                proofs |= {service: code} if code else {}
                continue
            yield from inbound_medium(known, f"inbound/{turn}", (self.actor, self.confirm[0]))
            args = {"wanted": missing, "seen": seen, "root_certificate_sha256": known.products["root_certificate_sha256"]}
            imported = yield Act(key=f"import/{turn}", verb="import-request", args=args, waiting="Copying the request from the medium")
            for request in imported["requests"]:
                seen = [*seen, request["sha256"]]
                number = len(seen)
                new_csrs, new_proofs, problems = sorted_in(known, request, imported["at"], csrs, proofs)
                if problems:
                    shown = (
                        f"{request['folder']} is refused, and nothing of it is used:",
                        *(f"  {shown_text(problem)}" for problem in problems),
                    )
                    codes = ", ".join(sorted({problem.partition(":")[0] for problem in problems}))
                    text = f"Refused: {codes}. Have it mended, or take another medium. Have you read why?"
                    yield Show(lines=shown)
                    yield Ask(key=f"refused/{number}", text=text, by=self.actor, shown=shown, accept="seen")
                    continue
                if known.rehearsal:
                    yield Show(lines=rehearsal_text(request))
                if (yield from vouched_for(known, f"vouch/{number}", new_csrs, (self.actor, self.confirm[0]))):
                    csrs |= new_csrs
                    proofs |= new_proofs
        return {"csrs": csrs, "codes": proofs}


def missing_of(script: Any, csrs: dict[str, Any], proofs: dict[str, Any]) -> list[str]:
    """What the script names and has not come in, as `csr NAME` and `proof SERVICE`."""
    return [f"csr {entry.name}" for entry in script.intermediates if entry.name not in csrs] + [
        f"proof {entry.service}" for entry in script.proofs if entry.service not in proofs
    ]


def sorted_in(
    known: Known, request: dict[str, Any], at: str, csrs: dict[str, Any], proofs: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """What a request brings, by name, and every reason to refuse it (with its code). `at` is the time of the import."""
    new_csrs: dict[str, Any] = {}
    new_proofs: dict[str, Any] = {}
    problems = _problems_with_request(known, request, at)
    for csr in request["csrs"]:
        if csr["name"] in csrs or csr["name"] in new_csrs:
            problems.append(f"REQUEST-NAME: {csr['name']!r} came in already")
        problems += _problems_with_csr(known, csr, [*csrs.values(), *new_csrs.values()], at)
        new_csrs[csr["name"]] = csr
    for proof in request["proofs"]:
        if proof["service"] in proofs or proof["service"] in new_proofs:
            problems.append(f"REQUEST-NAME: a code for {proof['service']!r} came in already")
        new_proofs[proof["service"]] = proof
    return new_csrs, new_proofs, problems


def _problems_with_request(known: Known, request: dict[str, Any], at: str) -> list[str]:
    problems = []
    ours = known.products["root_certificate_sha256"]
    if request["root_fingerprint"] not in (None, ours):
        problems.append(f"REQUEST-ROOT: {request['folder']} is for another root ({request['root_fingerprint']})")
    if dt.datetime.fromisoformat(request["made_at"]) > dt.datetime.fromisoformat(at) + _CLOCKS_DIFFER:
        when = f"was made at {request['made_at']}, and here it is {at}"
        problems.append(f"REQUEST-TIME: {request['folder']} {when}: one of the two clocks is wrong")
    named = {(entry.service, entry.certificate) for entry in known.script.proofs}
    for proof in request["proofs"]:
        if (proof["service"], proof["certificate"]) not in named:
            problems.append(f"REQUEST-NAME: the script names no proof of {proof['certificate']!r} to {proof['service']!r}")
    return problems


def _problems_with_csr(known: Known, csr: dict[str, Any], others: list[dict[str, Any]], at: str) -> list[str]:
    name = csr["name"]
    entry = next((entry for entry in known.script.intermediates if entry.name == name), None)
    if entry is None:
        return [f"REQUEST-NAME: the script has no intermediate {name!r}"]
    earlier = reissued_by(known).get(name)
    before = set(known.products.get("certified_keys", [])) - ({earlier.public_key_sha256} if earlier else set())
    certified = [*before, *(other["spki_sha256"] for other in others)]
    profile = known.script.profiles[entry.profile]
    try:
        signing_request = read_csr(csr["pem"].encode())
    except CeremonyError as refused:
        return [f"{refused.code}: {name}: {refused.what}"]
    found = [
        f"{code}: {name}: {text}"
        for code, text in problems_with_csr(signing_request, profile, bytes.fromhex(known.products["root_public_key"]), certified)
    ]
    if earlier:
        ours = (signing_request.public_key_sha256, name_text(signing_request.subject))
        found += [f"{code}: {name}: {text}" for code, text in problems_with_reissued(earlier, *ours)]
    if entry.spki_sha256 not in (None, signing_request.public_key_sha256):
        found.append(f"CSR-KEY-PINNED: {name}: the script pins another key")
    if entry.device_registry and not found:
        found += [f"REGISTRY-DEMANDS: {name}: {problem}" for problem in _problems_for_azure(known, entry, signing_request.subject, at)]
    return found


def _problems_for_azure(known: Known, entry: Any, subject: x509.Name, at: str) -> list[str]:
    """What Azure Device Registry would refuse of the root that is there, and of the certificate that this CSR would get."""
    moment, root = dt.datetime.fromisoformat(at), bytes.fromhex(known.products["root_certificate"])
    day = dt.date.fromisoformat(known.products["ceremony_day"])
    problems = [f"the root: {problem}" for problem in problems_with_root(root, moment)]
    try:
        planned = intermediate_profile(known.script.profiles[entry.profile], subject, root, day)
    except CeremonyError as impossible:
        return [*problems, impossible.what]
    return [*problems, *(f"its certificate: {problem}" for problem in problems_with_planned_issuing_ca(planned, moment))]


def vouched_for(known: Known, key: str, csrs: dict[str, Any], people: tuple[str, str]) -> Generator[Request, Any, bool]:
    """Two people type words of each key's digest from the factory's paper form, before the tool shows them.

    Each types eight of the 32 words. A key that the script pins by `spki_sha256` needs no paper. False when
    somebody refuses: then nothing of the request is used.
    """
    pinned = {entry.name for entry in known.script.intermediates if entry.spki_sha256}
    of_azure = {entry.name for entry in known.script.intermediates if entry.device_registry}
    for name, csr in csrs.items():
        if name in pinned:
            continue
        words = words_of(csr["spki_sha256"])
        for number, person in enumerate(people):
            part = "first" if number == 0 else "second"
            shown = (
                f"Take {_form_of(name, of_azure)}. The tool does not show these words",
                "before you have typed them. If the paper says something else than what you",
                "may type here, answer: refuse",
            )
            answer = yield Ask(
                key=f"{key}/{name}/{person}", text=f"Type the {part} eight words of the key digest of {name!r}.", by=person, shown=shown,
                accept=" ".join(words[8 * number : 8 * number + 8]), blind=True, choices=("refuse",),
            )  # fmt: skip
            if answer == "refuse":
                yield Show(lines=(f"Refused: the key of {name!r} is not the one on paper. Nothing of this request is used.",))
                return False
        signing_request = read_csr(csr["pem"].encode())
        yield Show(lines=(f"{name}: the key is the one on paper: {csr['spki_sha256']}", *_asked_for(signing_request.requested)))
    return True


def _form_of(name: str, of_azure: set[str]) -> str:
    return f"the paper form of Azure's CA {name!r}" if name in of_azure else f"the factory's paper form for {name!r}"


def rehearsal_text(request: dict[str, Any]) -> tuple[str, ...]:
    """What a rehearsal made up, and the words that stand in for the factory's paper forms, which nobody has in one."""
    lines = []
    if request["made_up"]:
        made = [csr["name"] for csr in request["csrs"]] + [f"a code for {proof['service']}" for proof in request["proofs"]]
        lines.append(f"REHEARSAL: this run made up: {', '.join(made)}.")
    for csr in request["csrs"]:
        lines.append(f"REHEARSAL: in place of the paper form of {csr['name']}: {' '.join(words_of(csr['spki_sha256'])[:16])}")
    return tuple(lines)


def _asked_for(requested: tuple[str, ...]) -> tuple[str, ...]:
    if not requested:
        return ("The request asks for no extensions.",)
    return ("The request asks for these extensions; they are shown and never copied:", *(f"  {line}" for line in requested))
