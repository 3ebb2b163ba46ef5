"""An intermediate on the root's CRL whose group still lets devices in: told by `status` and `plan`, and no plan works against it."""

import dataclasses
import json
from pathlib import Path

import msgspec
import pytest

from ceremony.crossing.duties import duties_of
from ceremony.crossing.verified import DestroyedRoot, VerifiedBundle, verified_bundle
from ceremony.errors import CeremonyError
from ceremony.online.apply import refuse_odd_actions
from ceremony.online.config import GroupDefaults
from ceremony.online.destroyed import left_of_destroyed
from ceremony.online.disable import disable_group
from ceremony.online.plan import make_plan
from ceremony.online.revoked import revoked_groups
from ceremony.pki.revocation import Revoked, start_of
from ceremony.simulator import groups
from tests.crossing.held_ceremony import new_csr
from tests.crossing.held_crl import REVOKE_ALPHA, crl_ceremony
from tests.online.held_service import HeldService
from tests.pki.material import DAY


def crl_bundle(held: HeldService) -> tuple[Path, str]:
    """The bundle of a later ceremony that revokes alpha.1, and its fingerprint."""
    later = crl_ceremony(held.folder / "later", held.ceremony, REVOKE_ALPHA)
    return later.write_bundle(held.folder / "bundle-3"), later.fingerprint


def findings(held: HeldService, *bundle: object) -> list[tuple[str, str, str]]:
    ran = held.run("status", "--json", "--receipts", held.folder / "receipts.jsonl", *bundle)
    assert ran.code == 0, ran.err
    return [(found["kind"], found["name"], found["text"]) for found in json.loads(ran.out)["findings"] if "revoked" in found["text"]]


def test_an_enabled_group_of_a_revoked_intermediate_is_told_until_it_is_disabled(held: HeldService) -> None:
    held.settled()
    bundle, fingerprint = crl_bundle(held)
    given = ("--bundle", bundle, "--fingerprint", fingerprint)
    assert findings(held) == []
    ((kind, name, text),) = findings(held, *given)
    assert (kind, name) == ("danger", "alpha.1")
    assert "revoked by the root (cACompromise" in text and "disable it. `ceremony online disable alpha.1`" in text
    plan = held.run("plan", bundle, "--fingerprint", fingerprint)
    said = " ".join(plan.out.split())
    assert plan.code == 0 and "DANGER: the group alpha.1: its certificate is revoked" in said
    assert "`ceremony online disable alpha.1`" in said
    assert held.run("disable", "alpha.1", "--receipts", held.folder / "receipts.jsonl").code == 0
    ((kind, name, text),) = findings(held, *given)
    assert (kind, name) == ("note", "alpha.1") and "disabled, as it should be" in text
    assert "DANGER" not in held.run("plan", bundle, "--fingerprint", fingerprint).out


def test_a_request_after_a_revocation_tells_what_else_is_to_be_done(held: HeldService) -> None:
    held.settled()
    bundle, fingerprint = crl_bundle(held)
    (held.folder / "alpha.2.pem").write_bytes(new_csr("CN=alpha.2,O=Example"))
    csr = ("--csr", f"alpha.2={held.folder / 'alpha.2.pem'}")
    asked = held.run("request", "-o", held.folder / "request-1", *csr, "--bundle", bundle, "--fingerprint", fingerprint)
    assert asked.code == 0, asked.err
    assert "The root has revoked alpha.1." in asked.err and "`ceremony online disable alpha.1`" in asked.err
    given = ("--bundle", held.bundle_2, "--fingerprint", held.fingerprint_2)
    assert "revoked" not in held.run("request", "-o", held.folder / "request-2", *csr, *given).err
    refused = held.run("request", "-o", held.folder / "request-3", *csr, "--bundle", bundle, "--fingerprint", "0" * 64)
    assert refused.code == 1 and "BUNDLE-REFUSED" in refused.err and not (held.folder / "request-3").exists()
    assert "revoke-intermediate.toml" in held.run("disable", "alpha.1", "--receipts", held.folder / "receipts.jsonl").err


def test_what_a_root_whose_key_is_destroyed_leaves_at_the_service_is_told(held: HeldService) -> None:
    held.settled()
    root = held.verified_2().root_fingerprint
    with held.connected() as service:
        ((kind, name, text),) = left_of_destroyed(service.observe(), [DestroyedRoot("example-root-g1", root, "Rolled over.")])
        assert (kind, name) == ("drift", "example-root-g1")
        assert "destroyed (Rolled over.)" in text and "Enabled groups stand on it: alpha.1, beta.1" in text
        for group in ("alpha.1", "beta.1"):
            disable_group(service, group)
        ((kind, _, text),) = left_of_destroyed(service.observe(), [DestroyedRoot("example-root-g1", root, "Rolled over.")])
        assert kind == "drift" and "no enabled group" in text and "`ceremony online retire example-root-g1`" in text
        ((kind, name, text),) = left_of_destroyed(service.observe(), [DestroyedRoot("example-root-g1", "0" * 64, "Rolled over.")])
        assert (kind, name) == ("note", "example-root-g1") and "as it should be" in text


def test_the_duties_that_the_bundle_tells_of_stand_in_the_status(held: HeldService) -> None:
    held.settled()
    bundle, fingerprint = crl_bundle(held)
    given = ("--receipts", held.folder / "receipts.jsonl", "--bundle", bundle, "--fingerprint", fingerprint)
    told = json.loads(held.run("status", "--json", *given).out)["duties"]
    assert told == list(msgspec.to_builtins(duties_of(bundle, fingerprint).duties))
    assert {"ceremony", "crl", "intermediate", "root"} <= {duty["kind"] for duty in told}
    text = held.run("status", *given).out
    assert all(f"  {duty['date']}  " in text and f"{duty['kind']}: {duty['name']}" in text for duty in told)
    assert max(map(len, text.splitlines())) <= 80
    assert "Next duties" not in held.run("status", *given[:2]).out


def test_the_serial_is_taken_from_the_service_s_own_words_where_it_shows_no_certificate(held: HeldService) -> None:
    held.settled()
    bundle, fingerprint = crl_bundle(held)
    crls = verified_bundle(bundle, fingerprint).crls
    with held.connected() as service:
        world = service.observe()
    for spoil, told in (({"certificate": ""}, ["alpha.1"]), ({"certificate": "", "info": {"serialNumber": "no number"}}, [])):
        changed = []
        for group in world.groups:
            record = json.loads(json.dumps(dict(group.record)))
            record["attestation"]["x509"]["signingCertificates"]["primary"] |= spoil
            changed.append(dataclasses.replace(group, record=record))
        found = revoked_groups(dataclasses.replace(world, groups=tuple(changed)), crls)
        assert [each.group.group_id for each in found] == told


def revoking_alpha(held: HeldService) -> VerifiedBundle:
    """The second bundle as if its own CRL revoked alpha.1: no ceremony makes such a one, and no plan may follow it."""
    bundle = held.verified_2()
    [crl] = verified_bundle(*crl_bundle(held)).crls
    entry = Revoked(bundle.intermediates["alpha.1"].certificate.serial_number, start_of(DAY), "cACompromise")
    return dataclasses.replace(bundle, crls=(dataclasses.replace(crl, revoked=(entry,)),))


def test_no_plan_makes_or_enables_a_group_for_what_is_revoked(held: HeldService) -> None:
    held.proved()
    bundle = revoking_alpha(held)
    with held.connected() as service:
        held.apply(service, held.plan_2(service))
        groups.delete(held.state, "alpha.1", "*")
        plan = make_plan(bundle, service.config, service.observe())
        assert [action.name for action in plan.actions] == ["example-root-g1", "beta.1"]
        assert any("alpha.1 is revoked by the root" in note for note in plan.notes)
        for enable, defaults in ((["alpha.1"], GroupDefaults()), ([], GroupDefaults(secondaries={"beta.1": "alpha.1"}))):
            with pytest.raises(CeremonyError) as refused:
                make_plan(bundle, held.config(defaults), service.observe(), enable=enable)
            assert refused.value.code == "ONLINE-REVOKED"
        old = make_plan(held.verified_2(), service.config, service.observe())
    assert [action.sign for action in old.actions if action.name == "alpha.1"] == ["+"]
    with pytest.raises(CeremonyError) as refused:
        refuse_odd_actions(old, bundle)
    assert refused.value.code == "PLAN-BROKEN"


def test_bundle_and_fingerprint_go_together_and_are_verified(held: HeldService) -> None:
    held.settled()
    bundle, fingerprint = crl_bundle(held)
    for given, code in (
        (("--bundle", bundle), "USAGE"),
        (("--fingerprint", fingerprint), "USAGE"),
        (("--bundle", bundle, "--fingerprint", fingerprint[:60]), "ANCHOR-INCOMPLETE"),
        (("--bundle", bundle, "--fingerprint", "0" * 64), "BUNDLE-REFUSED"),
    ):
        assert code in held.run("status", *given).err
    without = held.run("status", "--bundle", held.bundle_2, "--fingerprint", held.fingerprint_2)
    assert without.code == 0 and "holds no CRL" in without.err
