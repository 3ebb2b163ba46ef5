"""The ceremony script read as data, as far as a bundle is checked against it. The script model is not asked."""

import datetime as dt
import tomllib

import msgspec

from ceremony.activation.arrangement import Activation
from ceremony.backup import Backup
from ceremony.errors import CeremonyError
from ceremony.pki.attestation import AttestationTable
from ceremony.pki.lost_ledger import PreviousTable
from ceremony.pki.names import shown_text
from ceremony.pki.profiles import ProfileTable, RootTable
from ceremony.pki.revoking import CrlTable, RevokeTable
from ceremony.pki.roll_over import RollOverTable


class ScriptSigner(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody by name, and their credential as roster text (see activation.roster); an observer has none."""

    name: str
    credential: str | None = None


class ScriptPerson(ScriptSigner, frozen=True, kw_only=True):
    """A participant of the script and who may stand in."""

    id: str
    role: str
    alternates: tuple[ScriptSigner, ...] = ()

    @property
    def credentials(self) -> dict[str, str | None]:
        """The credential of each who may fill this place, by name."""
        return {entry.name: entry.credential for entry in (self, *self.alternates)}


class ScriptFact(msgspec.Struct, frozen=True):
    """A physical fact of a `record` step, and its kind."""

    name: str
    what: str


class ScriptItem(msgspec.Struct, frozen=True):
    """What an `inventory` step counts, and by how much the script foresees it to change."""

    name: str
    change: int = 0


class ScriptStep(msgspec.Struct, frozen=True):
    """A step of the script. `facts` and `custody` are those of `record`, `count` and `items` those of `inventory`, `which` that of
    `change-activation`, `end_of_life` that of `destroy-key`, `name` and `public` those of `capture-hsm-log`."""

    kind: str
    title: str
    actor: str
    confirm: tuple[str, ...] = ()
    facts: tuple[ScriptFact, ...] = ()
    custody: str = ""
    count: str = ""
    items: tuple[ScriptItem, ...] = ()
    which: str | None = None
    end_of_life: bool = False
    name: str = ""
    public: bool = False


class ScriptIntermediate(msgspec.Struct, frozen=True):
    """A name that may be certified, its profile, and SHA-256 (hex, DER SPKI) of its key where the script pins it.

    `device_registry` is NAMESPACE/POLICY where it is the issuing CA of a policy of Azure Device Registry; `reissue` the serial of the
    certificate (40 hex digits) whose key it takes over.
    """

    name: str
    profile: str
    spki_sha256: str | None = None
    device_registry: str | None = None
    reissue: str | None = None


class ScriptProof(msgspec.Struct, frozen=True):
    """A service that may be given a proof of possession; `typed`: its code may have come in on paper."""

    service: str
    certificate: str
    typed: bool = False


class ScriptWindow(msgspec.Struct, frozen=True):
    """The days on which it may run, both included."""

    first: dt.date = msgspec.field(name="from")
    last: dt.date = msgspec.field(name="to")


class ScriptTool(msgspec.Struct, frozen=True):
    """SHA-256 (hex) of the ceremony machine's image on which it is to be held."""

    image_sha256: str


class ScriptAsData(msgspec.Struct, frozen=True):
    """What the ceremony script says of people, steps, PINs and certificates."""

    participants: tuple[ScriptPerson, ...]
    steps: tuple[ScriptStep, ...]
    root: RootTable
    window: ScriptWindow
    evidence: str
    activation: Activation = Activation(kind="pin")
    backup: Backup | None = None
    profiles: dict[str, ProfileTable] = {}
    intermediates: tuple[ScriptIntermediate, ...] = ()
    proofs: tuple[ScriptProof, ...] = ()
    max_batch: int = 25
    previous: PreviousTable | None = None
    attestation: AttestationTable | None = None
    crl: CrlTable | None = None
    revoke: tuple[RevokeTable, ...] = ()
    roll_over: RollOverTable | None = None
    tool: ScriptTool | None = None


def read_script(octets: bytes) -> ScriptAsData:
    """The script of these bytes (TOML, UTF-8). Raises CeremonyError RECORD-BROKEN."""
    try:
        return msgspec.convert(tomllib.loads(octets.decode()), ScriptAsData)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError, RecursionError) as why:
        raise CeremonyError("RECORD-BROKEN", f"The script can't be read: {shown_text(str(why))}.") from why
