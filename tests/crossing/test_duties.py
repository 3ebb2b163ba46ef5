"""What must be done next: dates from the ledger, a calendar file that any reader of RFC 5545 takes, the same bytes each time."""

import re
from pathlib import Path

import pytest

from ceremony.canonical import parse_json
from ceremony.cli import main
from ceremony.crossing.calendar import calendar_of
from ceremony.crossing.duties import Duties, duties_of
from ceremony.errors import CeremonyError, ExitCode
from tests.crossing.forging import put
from tests.crossing.held_ceremony import HeldCeremony, going_on, new_csr, whole_ceremony
from tests.crossing.held_crl import REVOKE_ALPHA, ceremony_without_crl, crl_ceremony
from tests.crossing.script_text import FIRST_SESSION, LATER_CEREMONY, SECOND_SESSION, script_of
from tests.crossing.test_verify_forged import second_session_without

# The held ceremony is of 2026-11-24; root until 2046-11-19T00:00Z, intermediates until 2031-11-19T00:00Z, CRL until 2027-12-31T00:00Z.


@pytest.fixture(scope="module")
def first(tmp_path_factory) -> HeldCeremony:
    return whole_ceremony(tmp_path_factory.mktemp("first"))


@pytest.fixture(scope="module")
def revoking(tmp_path_factory, first: HeldCeremony) -> HeldCeremony:
    return crl_ceremony(tmp_path_factory.mktemp("revoking"), first, REVOKE_ALPHA)


def told(ceremony: HeldCeremony, folder: Path, device_life: int = 365) -> Duties:
    return duties_of(ceremony.write_bundle(folder / ceremony.ceremony), ceremony.fingerprint, device_life)


def days(duties: Duties) -> list[tuple[str, str, str]]:
    return [(duty.date, duty.kind, duty.name) for duty in duties.duties]


def test_a_first_ceremony_leaves_its_proof_its_intermediates_its_root_and_the_next_ceremony(first: HeldCeremony, tmp_path: Path) -> None:
    duties = told(first, tmp_path)
    assert days(duties) == [
        ("2026-12-23", "azure", "example-dps"),
        ("2030-10-19", "ceremony", "next ceremony"),
        ("2031-11-18", "intermediate", "alpha.1"),
        ("2031-11-18", "intermediate", "beta.1"),
        ("2046-11-18", "root", "example-root-g1"),
    ]
    (ceremony,) = (duty for duty in duties.duties if duty.kind == "ceremony")
    # 30 days of lead, and 365 for the devices: 2031-11-19 less 395; an intermediate is valid for 1,821 days: 2046-11-19 less 1851.
    assert "by 2030-10-19 a successor of alpha.1" in ceremony.text
    assert "by 2041-10-24 a new root after example-root-g1" in ceremony.text
    assert days(told(first, tmp_path / "more", 3650))[0] == ("2026-11-24", "ceremony", "next ceremony")


def test_a_crl_comes_first_what_is_revoked_is_no_duty_and_a_later_bundle_tells_of_both(
    first: HeldCeremony, revoking: HeldCeremony, tmp_path: Path
) -> None:
    wanted = [
        ("2027-11-30", "ceremony", "next ceremony"),
        ("2027-12-30", "crl", "example-root-g1"),
        ("2031-11-18", "intermediate", "beta.1"),
    ]
    assert [duty for duty in days(told(revoking, tmp_path)) if duty[1] not in ("azure", "root")] == wanted
    both = told(crl_ceremony(tmp_path / "both", first, REVOKE_ALPHA + REVOKE_ALPHA.replace("alpha", "beta")), tmp_path / "both-bundles")
    assert "by 2041-10-24 a new root" in next(duty.text for duty in both.duties if duty.kind == "ceremony") and "beta" not in str(both)
    crl = revoking.artifacts["crl/example-root-g1.crl.pem"]
    later = ceremony_without_crl(tmp_path / "later", revoking, crl)
    assert [duty for duty in days(told(later, tmp_path / "bundles")) if duty[1] not in ("azure", "root")] == wanted


def test_an_intermediate_gives_way_to_the_next_generation(first: HeldCeremony, tmp_path: Path) -> None:
    script = script_of(LATER_CEREMONY, ("alpha.2", "beta.2"), proof=False, previous=first.fingerprint)
    script = script.replace(b"[profiles.factory]\nnot_after = 2031", b"[profiles.factory]\nnot_after = 2036")
    later = HeldCeremony(tmp_path / "later", script, **going_on(first))
    later.prepare()
    later.use_root()
    later.import_request({name: new_csr(f"CN={name},O=Example") for name in ("alpha.2", "beta.2")}, proof=False)
    later.sign_intermediates()
    later.seal("close")
    duties = told(later, tmp_path / "bundles")
    (ceremony,) = (duty for duty in duties.duties if duty.kind == "ceremony")
    assert ceremony.date == "2035-10-20" and "alpha.2" in ceremony.text and "alpha.1" not in ceremony.text
    assert ("2031-11-18", "intermediate", "alpha.1") in days(duties)


def test_azures_issuing_ca_is_told_as_azures_and_a_signature_given_up_waits_for_the_next_crl(tmp_path: Path) -> None:
    script = script_of((*FIRST_SESSION, *SECOND_SESSION), ("alpha.1", "beta.1"), proof=True).decode()
    script = script.replace('name = "alpha.1"', 'name = "alpha.1"\ndevice_registry = "field/policy"')
    held = HeldCeremony(tmp_path / "held", script.encode())
    held.prepare()
    held.make_root()
    held.seal("crossing")
    held.cross()
    second_session_without(held, "beta.1")
    duties = told(held, tmp_path)
    assert ("2031-11-18", "azure", "alpha.1") in days(duties) and "beta.1" not in str(duties)
    (ceremony,) = (duty for duty in duties.duties if duty.kind == "ceremony")
    assert ceremony.text.endswith("1 serial number that may have been signed waits for the next CRL.")


def unfolded(octets: bytes) -> list[str]:
    """The content lines of RFC 5545 section 3.1, each of at most 75 octets before unfolding."""
    assert octets.endswith(b"\r\n") and b"\n" not in octets.replace(b"\r\n", b"")
    assert max(map(len, octets.split(b"\r\n"))) <= 75
    return octets.replace(b"\r\n ", b"").decode("ascii").split("\r\n")[:-1]


def events(octets: bytes) -> list[dict[str, str]]:
    """The events by property, reminders under `TRIGGER` as one text; what is opened is closed, in order."""
    found: list[dict[str, str]] = []
    open_parts: list[str] = []
    for line in unfolded(octets):
        name, _, value = line.partition(":")
        if name == "BEGIN":
            open_parts.append(value)
            if value == "VEVENT":
                found.append({})
        elif name == "END":
            assert open_parts.pop() == value
        elif open_parts[-1] == "VEVENT":
            assert name not in found[-1]
            found[-1][name] = value
        elif open_parts[-1] == "VALARM" and name == "TRIGGER":
            found[-1]["TRIGGER"] = f"{found[-1].get('TRIGGER', '')} {value}".strip()
    assert open_parts == []
    return found


def test_the_calendar_file_is_of_whole_days_and_a_newer_one_moves_the_events(
    first: HeldCeremony, revoking: HeldCeremony, tmp_path: Path
) -> None:
    before, after = (told(ceremony, tmp_path) for ceremony in (first, revoking))
    file = calendar_of(before)
    assert unfolded(file)[:2] == ["BEGIN:VCALENDAR", "VERSION:2.0"]
    assert file == calendar_of(duties_of(tmp_path / first.ceremony, None))
    old, new = ({event["UID"]: event for event in events(calendar_of(duties))} for duties in (before, after))
    assert len(old) == len(before.duties) and all(re.fullmatch("[0-9a-f]{64}", uid) for uid in old)
    (next_before,) = (event for event in old.values() if "next ceremony" in event["SUMMARY"])
    next_after = new[next_before["UID"]]
    assert (next_before["DTSTART;VALUE=DATE"], next_before["DTEND;VALUE=DATE"]) == ("20301019", "20301020")
    assert (next_before["DTSTAMP"], next_before["TRIGGER"]) == ("20261124T100000Z", "-P90D -P30D")
    assert (next_after["DTSTART;VALUE=DATE"], next_before["SEQUENCE"], next_after["SEQUENCE"]) == ("20271130", "2", "3")
    assert next_before["SUMMARY"].startswith("REHEARSAL: example-root-g1: ")
    assert "\\; by " in next_before["DESCRIPTION"] and "days to spare: by" in next_before["DESCRIPTION"]
    assert re.search(r"(?<!\\)[;,]", next_before["DESCRIPTION"]) is None
    assert f"\\nBundle with the fingerprint {first.fingerprint}." in next_before["DESCRIPTION"]


def test_the_command_writes_prints_and_refuses(first: HeldCeremony, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle, file = str(first.write_bundle(tmp_path / "bundle")), tmp_path / "duties.ics"
    assert main(["duties", bundle, "--fingerprint", first.fingerprint, "-o", str(file), "--json"]) == ExitCode.DONE
    value = parse_json(capsys.readouterr().out.encode().rstrip(b"\n"))
    assert (value["anchored"], value["label"], len(value["duties"])) == (True, "example-root-g1", len(events(file.read_bytes())))
    assert main(["duties", bundle]) == ExitCode.DONE
    shown = capsys.readouterr()
    assert "ceremony: next ceremony" in shown.out and "No --fingerprint" in shown.err
    assert max(map(len, shown.out.splitlines())) <= 80
    assert main(["duties", bundle, "-o", str(file)]) == ExitCode.USAGE
    assert "FILE-EXISTS" in capsys.readouterr().err
    assert main(["duties", bundle, "--device-life", "-1"]) == ExitCode.USAGE
    assert main(["duties", bundle, "--fingerprint", "0" * 64]) != ExitCode.DONE
    assert "BUNDLE-REFUSED" in capsys.readouterr().err


def test_a_bundle_that_does_not_verify_tells_of_no_duty(first: HeldCeremony, tmp_path: Path) -> None:
    forged = first.forged()
    put("sealed", {}, bundle=9)(forged)
    with pytest.raises(CeremonyError) as refused:
        duties_of(forged.write_bundle(tmp_path / "forged"), None)
    assert refused.value.code == "BUNDLE-REFUSED"
