"""The fleet of the demo: two factories, devices under one of them, and what becomes of those when that one is compromised.

Each act is a command in a process of its own, as a person would type it.
"""

import json
import secrets
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ceremony.errors import CeremonyError
from ceremony.pki.names import shown_text

FACTORIES = {"alpha.1": "CN=Alpha Factory 1,O=Example", "beta.1": "CN=Beta Factory 1,O=Example"}
MADE_BY, DEVICES = "alpha.1", ("sensor-1", "sensor-2")
"""The intermediate that issues, and is then compromised; its devices, of which only the first registers in time."""

_PATIENCE = 120.0


class Fleet:
    """Factories and devices of the demo, in `out`. Their keys are in encrypted files, under a passphrase that this run made up."""

    def __init__(self, out: Path, say: Callable[..., None], program: str) -> None:
        self._out, self._say, self._program = out, say, program
        self._passphrase_file = out / "factories" / "passphrase"

    def requested(self) -> Mapping[str, Path]:
        """Each factory makes its key, its CSR and its paper form. The CSRs by intermediate's name."""
        self._passphrase_file.parent.mkdir(mode=0o700)
        self._passphrase_file.touch(mode=0o600)
        self._passphrase_file.write_text(secrets.token_urlsafe(24) + "\n")
        for name, subject in FACTORIES.items():
            self._done("factory", "request", name, "-o", self._folder(name), "--subject", subject, *self._secret)
        return {name: self._folder(name) / f"{name}.csr.pem" for name in FACTORIES}

    def issued(self, bundle: Path, fingerprint: str) -> None:
        """The factory takes its certificate over from the bundle, and issues to its devices."""
        self._done("factory", "accept", self._folder(MADE_BY), bundle, "--fingerprint", fingerprint)
        ids = self._out / "factories" / "ids.txt"
        ids.write_text("".join(f"{device}\n" for device in DEVICES))
        self._done("factory", "issue", self._folder(MADE_BY), "--ids", ids, "-o", self._out / "devices", *self._secret)
        self._told([str(path) for path in sorted((self._out / "devices").rglob("*.chain.pem"))])

    def connected_and_compromised(self, id_scope: str, where: Sequence[str | Path]) -> None:
        """The first device registers, connects and comes again; the intermediate is disabled; the second device stays out.

        `where` are the options of `ceremony device` that lead to the service.
        """
        first, second = DEVICES
        register = ("--id-scope", id_scope, *where, "--online-toml", self._settings)
        self._told(self._done("device", "register", *self._device(first), *register).splitlines())
        connect = ("device", "connect", *self._device(first), *where, "--json")
        self._told(self._known_from(self._done(*connect)))
        self._say("   The intermediate is compromised: the emergency lever, which needs neither bundle nor fingerprint.")
        self._done("online", "disable", MADE_BY, "--config", self._settings, "--receipts", self._out / "receipts.jsonl")
        self._say("   A second device of it is refused, and told why; the first one still connects, since its hub asks no group.")
        refused = self._run("device", "register", *self._device(second), *register)
        if "Code: DEVICE-GROUP-DISABLED" not in refused.stderr.splitlines():
            raise self._failed("a device of a disabled intermediate was not refused for that", refused)
        self._told([line for line in refused.stderr.splitlines() if line.startswith(("What happened", "Code"))])
        self._told(self._known_from(self._done(*connect)))

    def _known_from(self, told: str) -> list[str]:
        found = json.loads(told)
        origin = "the cache" if found["fromCache"] else "the service"
        return [f"connected to {found['assignedHub']}, known from {origin}; a message sent, the twin read"]

    def _device(self, device: str) -> tuple[str | Path, ...]:
        (chain,) = (self._out / "devices").rglob(f"{device}.chain.pem")
        return "--cert", chain, "--key", chain.with_name(f"{device}.key.pem")

    def _folder(self, name: str) -> Path:
        return self._out / "factories" / name

    @property
    def _secret(self) -> tuple[str | Path, ...]:
        return "--passphrase-file", self._passphrase_file

    @property
    def _settings(self) -> Path:
        return self._out / "online.toml"

    def _done(self, *arguments: str | Path) -> str:
        ended = self._run(*arguments)
        if ended.returncode:
            raise self._failed(f"`ceremony {arguments[0]} {arguments[1]}` ended with {ended.returncode}", ended)
        return ended.stdout

    def _run(self, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        line = [str(argument) for argument in arguments]
        self._say(f"   $ {self._program} {shlex.join(line)}")
        command = [sys.executable, "-m", "ceremony", *line]
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_PATIENCE, check=False)

    def _told(self, lines: list[str]) -> None:
        self._say(*(f"     {line}" for line in lines))

    def _failed(self, what: str, ended: "subprocess.CompletedProcess[str]") -> CeremonyError:
        said = " ".join(shown_text(line) for line in ended.stderr.splitlines())
        return CeremonyError("DEMO-FAILED", f"{what[:1].upper()}{what[1:]}: {said or 'it said nothing'}", state="What is there was left.")
