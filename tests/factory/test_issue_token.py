"""Device certificates whose issuer's key is on a token: SoftHSM, and a module that errs on demand."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ceremony.crossing.artifacts import public_key_der
from ceremony.errors import CeremonyError
from ceremony.factory.folder import Accepted, TokenKey, read_accepted, read_factory
from ceremony.factory.issuer_key import TokenIssuerKey
from ceremony.factory.request import request_on_token, wanted
from ceremony.machine.clock import now
from hsm.client import Token
from tests.e2e.commands import Ended, ceremony, refused
from tests.e2e.openssl import openssl
from tests.e2e.secrets_kept import files_with
from tests.factory.given import BETA, PIN, Certified, done, secret_file
from tests.factory.issuing import broken_off, certify, check_whole, entries, issue_here, summary
from tests.factory.made_up import Root

IDS = [f"dev-{number:06}" for number in range(1, 121)]


@pytest.fixture
def beta(certified: Certified, tmp_path: Path) -> Path:
    """beta.1 of the rehearsed ceremony, its key on the token."""
    folder = certified.copy("beta", tmp_path)
    done("factory", "accept", folder, certified.bundle, "--fingerprint", certified.fingerprint)
    return folder


def issued(beta: Path, certified: Certified, out: Path, *options: str | Path, pin: str = PIN) -> Ended:
    secret = secret_file(out.parent, pin, name="pin")
    given = ("-o", out, "--count", str(len(IDS)), "--prefix", "dev-", "--passphrase-file", secret)
    return ceremony("factory", "issue", beta, *given, *options, environ=certified.token.environ)


def test_the_chain_of_a_ceremony_and_a_token(beta: Path, certified: Certified, tmp_path: Path) -> None:
    """From the root of a rehearsed ceremony to devices, by openssl's strictest reading of each chain."""
    out = tmp_path / "out"
    assert summary(issued(beta, certified, out, "--json"))["made"] == len(IDS)
    check_whole(out, read_accepted(beta), IDS)
    root = certified.bundle / "root"
    [anchor] = root.glob("*.cert.pem")
    for row in entries(out)[::40]:
        chain = out / row["chain"]
        line = ("verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", anchor, "-untrusted", chain, chain)
        assert openssl(*line).endswith(": OK\n")
        assert "OU = REHEARSAL" in openssl("x509", "-in", chain, "-noout", "-subject", "-nameopt", "oneline")
    assert files_with(out, PIN) == []


def test_a_wrong_pin_and_a_missing_token_make_nothing(beta: Path, certified: Certified, tmp_path: Path) -> None:
    out = tmp_path / "out"
    refused(issued(beta, certified, out, pin="not-the-pin"), 3, "TOKEN-PIN-WRONG")
    elsewhere = tmp_path / "empty"
    elsewhere.mkdir()
    factory = json.loads((beta / "factory.json").read_text())
    (beta / "factory.json").write_text((beta / "factory.json").read_text().replace(factory["key"]["serial"], "0" * 16))
    refused(issued(beta, certified, out), 3, "TOKEN-NOT-FOUND")
    assert not list((out / "devices").iterdir())


@pytest.fixture
def erring(faulty_token: tuple[Token, Callable[..., None]], tmp_path: Path) -> tuple[Accepted, TokenIssuerKey, Token, Callable[..., None]]:
    """An intermediate on a token behind a module that errs on demand."""
    token, err = faulty_token
    asked = wanted(tmp_path / "beta", "beta.1", BETA, "ec:secp256r1", "")
    request_on_token(asked, token, Path("/faulty"), "beta.1", existing=False, clock=now)
    accepted = certify(read_factory(tmp_path / "beta"), Root())
    assert isinstance(accepted.factory.key, TokenKey)
    key = TokenIssuerKey(token, bytes.fromhex(accepted.factory.key.key_id), public_key_der(accepted.certificate))
    return accepted, key, token, err


@pytest.mark.parametrize(("value", "code"), [("0x32", "TOKEN-REMOVED"), ("0x31", "TOKEN-FULL"), ("0x30", "TOKEN-FAILED")])
def test_a_token_that_fails_in_the_middle(
    erring: tuple[Accepted, TokenIssuerKey, Token, Callable[..., None]], tmp_path: Path, value: str, code: str
) -> None:
    """Gone, out of memory, broken: what was signed by then is kept, and with the token back the order goes on."""
    accepted, key, token, err = erring
    out = tmp_path / "out"
    with pytest.raises(CeremonyError) as failed:
        issue_here(accepted, out, IDS, key=key, jobs=2, tell=lambda made: err(f"C_Sign rv {value}"))
    assert failed.value.code == code and failed.value.exit_code == 3
    rows = entries(out)
    assert 0 < len(rows) < len(IDS) and f"{len(rows)} of {len(IDS)} certificates are made" in failed.value.state
    check_whole(out, accepted, [row["registration_id"] for row in rows])
    err()
    token.login(bytearray(PIN.encode()))
    assert issue_here(accepted, out, IDS, key=key).made == len(IDS) - len(rows)
    check_whole(out, accepted, IDS)
    assert broken_off(out) >= 1


def test_a_stop_does_not_wait_for_all_that_the_token_has_to_sign(
    erring: tuple[Accepted, TokenIssuerKey, Token, Callable[..., None]], tmp_path: Path
) -> None:
    accepted, key, _, err = erring
    err("C_Sign sleep 20")
    asked = 0

    def stopping() -> bool:
        nonlocal asked
        asked += 1
        return asked > 3

    issued = issue_here(accepted, tmp_path / "out", IDS, key=key, stopping=stopping)
    assert (issued.made, issued.complete) == (0, False)
    err()
    # The answers to what was on its way are not taken for those of what comes after.
    assert issue_here(accepted, tmp_path / "out", IDS, key=key).complete
    check_whole(tmp_path / "out", accepted, IDS)
