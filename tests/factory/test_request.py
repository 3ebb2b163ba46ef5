"""An intermediate is asked for: openssl judges key and CSR, the ceremony takes them, and nothing is left half done."""

import hashlib
import json
import os
import re
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ceremony.crossing.request import read_request
from ceremony.errors import CeremonyError
from ceremony.factory.file_issuer_key import FileIssuerKey
from ceremony.factory.folder import read_factory
from ceremony.factory.request import Requested, request_on_token, wanted
from ceremony.machine.clock import now
from ceremony.words import words_of
from hsm.client import Module, Token
from tests.e2e.commands import PATIENCE, Ended, ceremony, command_line, environment, refused
from tests.e2e.openssl import openssl
from tests.e2e.secrets_kept import files_with, held_by
from tests.factory.given import ALPHA, PASSPHRASE, PIN, TOKEN, FactoryToken, done, factory_in_file, factory_on_token, secret_file

FAULTY = Path("/the/module")
"""Where the module is said to lie in tests that hand the token over."""


def request(folder: Path, *more: str | Path) -> tuple[str | Path, ...]:
    return ("factory", "request", "alpha.1", "-o", folder, "--subject", ALPHA, *more)


def key_digest(csr: Path) -> str:
    """SHA-256 of a CSR's key, by openssl."""
    public = openssl("req", "-in", csr, "-noout", "-pubkey")
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=public.encode(), capture_output=True, check=True)
    return hashlib.sha256(der.stdout).hexdigest()


def modes(folder: Path) -> set[int]:
    return {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


def opens(key: Path, passphrase: Path) -> bool:
    line = ["openssl", "pkcs8", "-in", str(key), "-passin", f"file:{passphrase}", "-out", os.devnull]
    return subprocess.run(line, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("kind", ["ec:secp384r1", "ec:secp256r1", "ec:secp521r1", "rsa:3072"])
def test_a_key_in_a_file_and_its_csr_are_what_openssl_takes(kind: str, tmp_path: Path) -> None:
    folder, passphrase = tmp_path / "alpha", secret_file(tmp_path, PASSPHRASE)
    made = json.loads(done(*request(folder, "--key", kind, "--passphrase-file", passphrase, "--json")).out)
    csr, key = folder / "alpha.1.csr.pem", folder / "alpha.1.key.pem"
    assert openssl("req", "-in", csr, "-noout", "-verify", "-subject", "-nameopt", "RFC2253").strip() == f"subject={ALPHA}"
    assert opens(key, passphrase)
    assert not opens(key, secret_file(tmp_path, PASSPHRASE + "8", name="wrong"))
    assert openssl("pkey", "-in", key, "-passin", f"file:{passphrase}", "-pubout") == openssl("req", "-in", csr, "-noout", "-pubkey")
    structure = openssl("asn1parse", "-in", key)
    assert re.search(r":scrypt\n(.*\n){2}.*INTEGER +:4000\n.*:08\n.*:0A\n(.*\n)*.*:aes-256-cbc\n", structure)
    assert made["spki_sha256"] == key_digest(csr) == read_factory(folder).spki_sha256
    assert made["words"] == words_of(key_digest(csr))
    assert (read_factory(folder).key_type, read_factory(folder).subject) == (kind, ALPHA)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700 and modes(folder) == {0o600}


def test_the_ceremony_packs_the_csr_and_asks_for_the_words_of_the_form(tmp_path: Path) -> None:
    folder = tmp_path / "alpha"
    said = done(*request(folder, "--passphrase-file", secret_file(tmp_path, PASSPHRASE), "--line", "Hall A"))
    assert said.out == f"{folder}\n"
    packed = json.loads(done("online", "request", "-o", tmp_path / "R", "--csr", f"alpha.1={folder / 'alpha.1.csr.pem'}", "--json").out)
    [csr] = packed["csrs"]
    assert read_request(tmp_path / "R").csrs[0].spki_sha256 == read_factory(folder).spki_sha256
    assert csr["requested"] == []
    form = (folder / "alpha.1.form.html").read_text()
    for part in (csr["words"][:8], csr["words"][8:16]):
        assert f"{' '.join(part[:4])}\n{' '.join(part[4:])}" in form
        assert " ".join(part) in said.err


def test_a_key_on_a_token_signs_its_csr_and_never_leaves(factory_token: FactoryToken, tmp_path: Path) -> None:
    folder = tmp_path / "alpha"
    ended = done(*request(folder, *factory_token.options(tmp_path), "--json"), environ=factory_token.environ)
    made = json.loads(ended.out)
    csr = folder / "alpha.1.csr.pem"
    assert "subject=" in openssl("req", "-in", csr, "-noout", "-verify", "-subject")
    assert made["spki_sha256"] == key_digest(csr)
    assert not list(folder.glob("*.key.pem"))
    where = json.loads((folder / "factory.json").read_text())["key"]
    assert where == {**where, "kind": "token", "module": str(factory_token.module), "serial": factory_token.serial, "label": "alpha.1"}
    assert {reading["verdict"] for reading in made["attributes"].values()} == {"as-wanted"}
    assert {"SENSITIVE", "NEVER_EXTRACTABLE", "LOCAL", "SIGN"} <= made["attributes"].keys()
    assert "keeps keys in SOFTWARE" in made["where"]
    with Module.start(factory_token.module, factory_token.environ) as module:
        token = module.token(label=TOKEN)
        token.login(bytearray(PIN.encode()))
        assert [(found.object_class, found.label, found.key_id) for found in token.inventory() if found.object_class == "PRIVATE_KEY"] == [
            ("PRIVATE_KEY", "alpha.1", where["key_id"])
        ]


def test_the_same_command_again_tells_what_is_on_the_token_and_goes_on_with_it(factory_token: FactoryToken, tmp_path: Path) -> None:
    options, environ = factory_token.options(tmp_path), factory_token.environ
    done(*request(tmp_path / "lost", *options), environ=environ)
    key_id = json.loads((tmp_path / "lost" / "factory.json").read_text())["key"]["key_id"]
    what = refused(ceremony(*request(tmp_path / "again", *options), environ=environ), 3, "FACTORY-KEY-ON-TOKEN")
    assert "a whole key pair" in what and key_id in what
    assert not (tmp_path / "again").exists()
    done(*request(tmp_path / "again", *options, "--existing-key"), environ=environ)
    assert read_factory(tmp_path / "again").spki_sha256 == read_factory(tmp_path / "lost").spki_sha256
    assert key_digest(tmp_path / "again" / "alpha.1.csr.pem") == read_factory(tmp_path / "lost").spki_sha256
    refused(ceremony(*request(tmp_path / "other", *options, "--existing-key", "--key", "rsa:3072"), environ=environ), 7, "CSR-KEY-REFUSED")
    done(*request(tmp_path / "other", *options, "--key-label", "alpha.2", "--key", "rsa:3072"), environ=environ)
    assert read_factory(tmp_path / "other").spki_sha256 != read_factory(tmp_path / "lost").spki_sha256


def test_a_folder_is_never_written_over_and_no_secret_asked_for_in_vain(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for folder in (tmp_path / "there", tmp_path / "link"):
        # Without a passphrase file and without a terminal: a question would be refused by another code.
        refused(ceremony(*request(folder)), 2, "FACTORY-EXISTS")
    refused(ceremony(*request(tmp_path / "new")), 2, "SECRET-NEEDS-PERSON")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "there"]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        (("Alpha.1",), "FACTORY-NAME"),
        (("../alpha",), "FACTORY-NAME"),
        (("a" * 57,), "FACTORY-NAME"),
        (("alpha.1\n",), "FACTORY-NAME"),
        (("--subject", "O=Example"), "NAME-REFUSED"),
        (("--subject", "CN=REHEARSAL Alpha 1"), "NAME-REFUSED"),
        (("--subject", "CN=A,CN=B"), "NAME-REFUSED"),
        (("--subject", "CN=Al\x1b[31mpha"), "NAME-REFUSED"),
        (("--subject", "CN=" + "a" * 65), "NAME-REFUSED"),
        (("--subject", "CN=Аlpha"), "NAME-REFUSED"),
        (("--subject", "alpha"), "NAME-REFUSED"),
        (("--line", "x" * 121), "USAGE"),
        (("--token", TOKEN), "USAGE"),
        (("--module", "/usr/lib/x.so"), "USAGE"),
        (("--existing-key",), "USAGE"),
        (("--key-label", "x"), "USAGE"),
        (("--module", "/x.so", "--token", TOKEN, "--key-label", "x\u202e"), "USAGE"),
    ],
)
def test_what_is_asked_for_is_checked_before_there_is_a_key(changed: tuple[str, ...], code: str, tmp_path: Path) -> None:
    name = changed[0] if len(changed) == 1 and not changed[0].startswith("--") else "alpha.1"
    more = () if name == changed[0] else changed
    ended = ceremony("factory", "request", name, "-o", tmp_path / "new", "--subject", ALPHA, *more)
    refused(ended, 2, code)
    assert ended.err.isascii()
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_pin_costs_one_try_and_writes_nothing(factory_token: FactoryToken, tmp_path: Path) -> None:
    ended = ceremony(*request(tmp_path / "alpha", *factory_token.options(tmp_path, pin="not-the-pin")), environ=factory_token.environ)
    what = refused(ended, 3, "TOKEN-PIN-WRONG")
    assert "not-the-pin" not in ended.err and what
    assert "at least one wrong PIN" in ended.err
    assert not (tmp_path / "alpha").exists()


@pytest.mark.parametrize(("flag", "code"), [(0x20000, "TOKEN-PIN-LAST-TRY"), (0x40000, "TOKEN-PIN-LOCKED")])
def test_the_last_try_of_a_pin_is_never_used(flag: int, code: str, faulty_token: tuple[Token, Callable[..., None]], tmp_path: Path) -> None:
    from ceremony.factory.token import login, pin_for

    token, err = faulty_token
    token.logout()
    # A login would crash the module.
    err(f"C_GetTokenInfo flags {flag}", "C_Login crash 0")
    with pytest.raises(CeremonyError) as asked:
        pin_for(token, secret_file(tmp_path, PIN), state="")
    with pytest.raises(CeremonyError) as tried:
        login(token, bytearray(PIN.encode()), state="")
    assert (asked.value.code, tried.value.code) == (code, code)
    assert "No try was used." in asked.value.state


def test_a_token_with_a_pad_is_asked_there(faulty_token: tuple[Token, Callable[..., None]], tmp_path: Path) -> None:
    from ceremony.factory.token import pin_for

    token, err = faulty_token
    err("C_GetTokenInfo flags 0x100")
    assert pin_for(token, None, state="") == bytearray()


def on_faulty(token: Token, folder: Path, *, existing: bool = False) -> Requested:
    return request_on_token(wanted(folder, "alpha.1", ALPHA, None, ""), token, FAULTY, "alpha.1", existing=existing, clock=now)


@pytest.mark.parametrize(
    ("rule", "code", "state"),
    [
        ("C_GenerateKeyPair rv 0x31", "TOKEN-FULL", "Nothing was written."),
        ("C_GenerateKeyPair rv 0x32", "TOKEN-REMOVED", "--existing-key"),
        ("C_GetAttributeValue true 0x162", "KEY-ATTRIBUTE", "destroyed again"),
        ("C_Sign rv 0x32", "TOKEN-REMOVED", "is on the token"),
        ("C_Sign crash 0", "MODULE-DIED", "is on the token"),
        ("C_Sign short 1", "SIGNATURE-MALFORMED", "is on the token"),
    ],
)
def test_a_token_that_fails_midway_leaves_no_folder_and_says_what_it_holds(
    rule: str, code: str, state: str, faulty_token: tuple[Token, Callable[..., None]], tmp_path: Path
) -> None:
    token, err = faulty_token
    err(rule)
    with pytest.raises(CeremonyError) as failed:
        on_faulty(token, tmp_path / "alpha")
    assert (failed.value.code, failed.value.exit_code) == (code, 3)
    assert state in failed.value.state
    assert not (tmp_path / "alpha").exists()


def test_after_the_token_came_back_the_key_it_holds_is_taken_up(faulty_token: tuple[Token, Callable[..., None]], tmp_path: Path) -> None:
    token, err = faulty_token
    err("C_Sign rv 0x32")
    with pytest.raises(CeremonyError):
        on_faulty(token, tmp_path / "alpha")
    err()
    token.login(bytearray(PIN.encode()))
    with pytest.raises(CeremonyError) as there:
        on_faulty(token, tmp_path / "alpha")
    assert there.value.code == "FACTORY-KEY-ON-TOKEN"
    assert on_faulty(token, tmp_path / "alpha", existing=True).spki_sha256 == key_digest(tmp_path / "alpha" / "alpha.1.csr.pem")


@pytest.mark.parametrize("rule", ["C_GetAttributeValue true 0x162", "C_GetAttributeValue false 0x103", "C_GetAttributeValue true 0x105"])
def test_a_key_that_could_leave_its_token_or_do_more_than_sign_is_not_taken_up(
    rule: str, faulty_token: tuple[Token, Callable[..., None]], tmp_path: Path
) -> None:
    """CKA_EXTRACTABLE, CKA_SENSITIVE and CKA_DECRYPT are not as wanted, as a key of other tools might be."""
    token, err = faulty_token
    token.generate_key("ec:secp256r1", "alpha.1", b"\x01" * 16)
    err(rule)
    with pytest.raises(CeremonyError) as failed:
        on_faulty(token, tmp_path / "alpha", existing=True)
    assert failed.value.code == "KEY-ATTRIBUTE"
    assert not (tmp_path / "alpha").exists()


def test_half_a_key_and_two_keys_of_one_label_are_told_and_not_taken_up(here: FactoryToken, tmp_path: Path) -> None:
    with Module.start(here.module, here.environ) as module:
        token = module.token(label=TOKEN)
        token.login(bytearray(PIN.encode()))
        with pytest.raises(CeremonyError) as none:
            request_on_token(wanted(tmp_path / "a", "alpha.1", ALPHA, None, ""), token, here.module, "alpha.1", existing=True, clock=now)
        token.generate_key("ec:secp256r1", "alpha.1", b"\x01" * 16)
    half = f"""
import pkcs11
token = pkcs11.lib({str(here.module)!r}).get_token(token_label={TOKEN!r})
with token.open(rw=True, user_pin={PIN!r}) as session:
    next(iter(session.get_objects({{pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PUBLIC_KEY}}))).destroy()
"""
    subprocess.run([sys.executable, "-c", half], check=True, env={**environment(), **here.environ})
    said = refused(ceremony(*request(tmp_path / "a", *here.options(tmp_path)), environ=here.environ), 3, "FACTORY-KEY-ON-TOKEN")
    ended = ceremony(*request(tmp_path / "a", *here.options(tmp_path), "--existing-key"), environ=here.environ)
    what = refused(ended, 3, "FACTORY-KEY-ON-TOKEN")
    assert "but: nothing" in none.value.what and "no whole key pair" in said and "but: PRIVATE_KEY" in what
    assert "--key-label" in ended.err


def test_a_token_that_is_not_there_is_told_before_a_pin_is_asked_for(factory_token: FactoryToken, tmp_path: Path) -> None:
    options = ("--module", factory_token.module, "--token", "another")
    refused(ceremony(*request(tmp_path / "a", *options), environ=factory_token.environ), 3, "TOKEN-NOT-FOUND")
    refused(ceremony(*request(tmp_path / "a", "--module", tmp_path / "x.so", "--token", TOKEN)), 3, "MODULE-MISSING")


def test_a_full_disk_leaves_nothing_half_written_and_the_key_of_a_token_is_kept(factory_token: FactoryToken, tmp_path: Path) -> None:
    """The system refuses what is written beyond a limit, as a full disk would."""
    for place, options in (("file", ("--passphrase-file", secret_file(tmp_path, PASSPHRASE))), ("token", factory_token.options(tmp_path))):
        line = command_line(*request(tmp_path / place / "alpha", *options))

        def limit() -> None:
            # Under the size of the form: SoftHSM's own files are smaller.
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

        given = environment(factory_token.environ)
        run = subprocess.run(line, capture_output=True, text=True, env=given, preexec_fn=limit, timeout=PATIENCE, check=False)
        ended = Ended(run.returncode, run.stdout, run.stderr)
        refused(ended, 2, "FACTORY-UNWRITABLE")
        assert not list((tmp_path / place).iterdir())
        assert ("--existing-key" in ended.err) == (place == "token")
    done(*request(tmp_path / "token" / "alpha", *factory_token.options(tmp_path), "--existing-key"), environ=factory_token.environ)


def test_a_signature_that_is_none_of_the_key_makes_no_request(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sign = FileIssuerKey.sign
    monkeypatch.setattr(FileIssuerKey, "sign", lambda key, message, algorithm: sign(key, message + b"x", algorithm))
    with pytest.raises(CeremonyError) as failed:
        factory_in_file(tmp_path / "alpha")
    assert failed.value.code == "CSR-SIGNATURE" and "no key was made" in failed.value.state
    assert not (tmp_path / "alpha").exists()


DIES = """
import os, signal, sys
from ceremony.cli import main
from ceremony.crossing import files
from hsm import client
moment, number = sys.argv.pop(1), int(sys.argv.pop(1))
def dying(call):
    def wrapper(*args, **more):
        global number
        number -= 1
        if number < 0 and moment.startswith("before"):
            os.kill(os.getpid(), signal.SIGKILL)
        result = call(*args, **more)
        if number < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return wrapper
if moment.endswith("generate"):
    client.Token.generate_key = dying(client.Token.generate_key)
else:
    os.fsync = dying(os.fsync)
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("moment", "number"), [("before generate", 0), ("after generate", 0), *[("after fsync", number) for number in range(7)]]
)
def test_killed_at_any_point_the_folder_is_there_whole_or_not_at_all(moment: str, number: int, here: FactoryToken, tmp_path: Path) -> None:
    """Four files of a token's folder, the folder itself, and the folder above are flushed."""
    folder = tmp_path / "F" / "alpha"
    options = here.options(tmp_path)
    line = [sys.executable, "-c", DIES, moment, str(number), *map(str, request(folder, *options))]
    ended = subprocess.run(line, env=environment(here.environ), capture_output=True, text=True, timeout=PATIENCE, check=False)
    if number == 6:
        assert ended.returncode == 0, ended
        return
    assert ended.returncode == -signal.SIGKILL, ended
    again = ceremony(*request(folder, *options), environ=here.environ)
    if folder.exists() and again.code == 2:
        refused(again, 2, "FACTORY-EXISTS")
    elif moment != "before generate":
        refused(again, 3, "FACTORY-KEY-ON-TOKEN")
        done(*request(folder, *options, "--existing-key"), environ=here.environ)
    assert read_factory(folder).spki_sha256 == key_digest(folder / "alpha.1.csr.pem")
    assert [path.name for path in (tmp_path / "F").iterdir()] == ["alpha"]


def test_no_secret_stands_in_any_file_output_or_process(here: FactoryToken, tmp_path: Path) -> None:
    held = tmp_path / "secrets"
    held.mkdir()
    passphrase, out = "passphrase-6b1f0c2d9e4a", tmp_path / "out"
    ended = done(*request(out / "file", "--passphrase-file", secret_file(held, passphrase)))
    assert not held_by((ended.out + ended.err).encode(), passphrase)
    assert files_with(held, passphrase) and not files_with(out, passphrase)
    factory_on_token(out / "token", here)
    assert not files_with(out, PIN)
    assert all(b"BEGIN PRIVATE" not in path.read_bytes() and b"BEGIN EC" not in path.read_bytes() for path in out.rglob("*.*"))
    with Module.start(here.module, here.environ) as module:
        module.token(label=TOKEN).login(bytearray(PIN.encode()))
        child = Path(f"/proc/{module.process_id}")
        assert PIN not in (child / "cmdline").read_text() + (child / "environ").read_text()


def test_an_unforeseen_error_shows_neither_traceback_nor_secret(tmp_path: Path) -> None:
    spoilt = """
import sys
from ceremony.cli import main
from ceremony.factory import key_file, request
def broken(key, passphrase):
    raise RuntimeError(f"the passphrase is {bytes(passphrase)!r}")
request.encrypted_pem = broken
sys.exit(main(sys.argv[1:]))
"""
    line = [sys.executable, "-c", spoilt, *map(str, request(tmp_path / "a", "--passphrase-file", secret_file(tmp_path, PASSPHRASE)))]
    ended = subprocess.run(line, env=environment(), capture_output=True, text=True, timeout=PATIENCE, check=False)
    refused(Ended(ended.returncode, ended.stdout, ended.stderr), 1, "INTERNAL")
    assert not held_by(ended.stderr.encode(), PASSPHRASE)
