"""Ceremonies with PINs in shares, in memory: small scripts, papers that were written before, and what must hold in the end."""

from ceremony.activation.shares import combine, pin_of, read_share, set_of, split
from ceremony.crossing.verify import verify_bundle
from tests.credentials import credential, write_credentials
from tests.engine.memory_room import FIRST_CEREMONY, World
from tests.engine.right_end import acts, assert_no_signature_unnoticed, lines_of

_PEOPLE = ("admin", "officer", "witness-1", "anna", "bo", "cy")
USER = ("officer", "anna", "bo")
SO = ("admin", "cy")
NEW_USER = ("officer", "anna", "cy")
NEW_SO = ("admin", "bo")

_SHARED = """[activation]
kind = "shared-pin"
threshold = 2
holders = {user}

[activation.so]
kind = "shared-pin"
threshold = 2
holders = {so}
"""
_BEFORE = _SHARED.replace("[activation", "[activation.before")
INITIALISE = '[[steps]]\nkind = "initialise-token"\ntitle = "New token"\nlabel = "example-root"\n'
CHANGE = '[[steps]]\nkind = "change-activation"\ntitle = "New {which}"\nwhich = "{which}"\nby = "{by}"\n'


def script_of(made: tuple[str, ...], activation: str, *, token: str = "blank") -> bytes:
    """Roll-call, checks, what is made of the PINs, then a root under them, and the end."""
    head = FIRST_CEREMONY.read_text().split("[profiles.factory]")[0]
    roles = {"admin": "administrator", "witness-1": "witness"}
    people = "".join(
        f'[[participants]]\nid = "{id}"\nname = "{id.title()} X"\nrole = "{roles.get(id, "custodian")}"\n'
        f'credential = "{credential(f"{id.title()} X")}"\n\n'
        for id in _PEOPLE
    )
    plain = '[[steps]]\nkind = "{0}"\ntitle = "{0}"\n'
    before, after = ("roll-call", "check-clock", "check-machine"), ("unlock", "generate-root", "unlock", "certify-root", "close")
    steps = [*map(plain.format, before), *made, *map(plain.format, after)]
    backup = '[backup]\nkind = "none"\nreason = "x"\nowner = "x"\n'
    world = f'[world]\ntoken = "{token}"\n'
    text = "\n".join((head, activation, backup, world, people, *(f'{step}actor = "admin"\nconfirm = ["witness-1"]\n' for step in steps)))
    return text.encode()


def listed(ids: tuple[str, ...]) -> str:
    return "[" + ", ".join(f'"{id}"' for id in ids) + "]"


FIRST = script_of((INITIALISE,), _SHARED.format(user=listed(USER), so=listed(SO)))
_FROM_TO = _BEFORE.format(user=listed(USER), so=listed(SO)) + "\n" + _SHARED.format(user=listed(NEW_USER), so=listed(NEW_SO))
RESHARE = script_of((CHANGE.format(which="user", by="quorum"), CHANGE.format(which="so", by="quorum")), _FROM_TO, token="ready")
RECOVER = script_of(
    (CHANGE.format(which="user", by="so"),), _FROM_TO.replace(f"holders = {listed(NEW_SO)}", f"holders = {listed(SO)}"), token="ready"
)
LATER = script_of((), _SHARED.format(user=listed(USER), so=listed(SO)), token="ready")
PAD = script_of((INITIALISE,), '[activation]\nkind = "pin-pad"\n')
PAD_CHANGED = script_of((CHANGE.format(which="so", by="quorum"),), '[activation]\nkind = "pin-pad"\n', token="ready")
HOLDERS = {FIRST: (USER, SO), RESHARE: (NEW_USER, NEW_SO), RECOVER: (NEW_USER, SO)}


def world_of(world: World, script: bytes) -> World:
    """The world for this script: for a later one with a token in use, whose shares people hold on paper."""
    world.script = script
    write_credentials(world.base / "credentials", *(f"{id.title()} X" for id in _PEOPLE))
    store = world.store
    if script in (PAD, PAD_CHANGED):
        store.pad, store.initialised, store.user_pin = True, script is PAD_CHANGED, b"typed on the pad" * (script is PAD_CHANGED)
    elif script is not FIRST:
        store.label, store.initialised = "example-root", True
        for number, (what, holders) in enumerate((("user PIN", USER), ("SO PIN", SO))):
            secret = bytearray(bytes([number + 1]) * 16)
            for holder, share in zip(holders, split(secret, 2, len(holders)), strict=True):
                world.shares[f"share of the {what}", holder] = [bytes(share)]
            pin = bytes(pin_of(secret, 4, 64, "alphanumeric", locks=True))
            store.user_pin, store.so_pin = (pin, store.so_pin) if what == "user PIN" else (store.user_pin, pin)
    return world


def pin_on_paper(world: World, what: str, holders: tuple[str, ...], number: int | None) -> bytes:
    """The PIN that the papers of these holders give, of the set that the record says is in force."""
    read = [read_share(bytearray(paper)) for holder in holders for paper in world.shares[f"share of the {what}", holder]]
    of_set = [share for share in read if number is None or set_of(share) == number]
    return bytes(pin_of(combine(of_set[:2], of_set=number), 4, 64, "alphanumeric", locks=True))


def sets_in_force(world: World) -> dict[str, int]:
    """By the products of the last step that made a PIN."""
    products = [line.data["products"]["activation"] for line in lines_of(world) if "activation" in line.data.get("products", {})]
    return {which: held["set"] for which, held in products[-1].items()}


def assert_right_quorum(world: World) -> None:
    """One root, a good bundle, and a token that is opened by the papers of the sets in force, and by nothing that is not on paper."""
    lines = lines_of(world)
    assert lines[-1].type == "closed"
    assert_no_signature_unnoticed(world, lines)
    assert len(world.store.pairs) == 1
    numbers = sets_in_force(world)
    user, so = HOLDERS[world.script]
    for holders in (user[:2], user[1:]):
        assert world.store.user_pin == pin_on_paper(world, "user PIN", holders, numbers["user"])
    assert world.store.so_pin == pin_on_paper(world, "SO PIN", so, numbers["so"])
    proved = {(line.data["args"]["which"], holder) for line in acts(world, "prove-activation") for holder in line.data["args"]["holders"]}
    made = (("user", user), ("so", so)) if world.script is not RECOVER else (("user", user),)
    assert proved == {(which, holder) for which, holders in made for holder in holders}
    verdict = verify_bundle(world.folder / "bundles" / "1", fingerprint=[line.sha256 for line in lines if line.type == "sealed"][-1])
    assert verdict.word == "GOOD", [f"{check.name}: {check.detail}" for check in verdict.checks if not check.passed]
