"""Who takes part: as the script names them, how they were identified, and who acted in each one's place."""

from collections import defaultdict

from ceremony.crossing.record import data_as
from ceremony.report.blocks import Block, Facts, Heading, Paragraph, Table
from ceremony.report.record import Answered, Participant, Record

DUTIES = {
    "administrator": "leads the ceremony through its steps and handles the machine and the media",
    "crypto-officer": "uses the token: unlocks it, orders the key and the signatures",
    "custodian": "holds a share of the activation data, and gives it when called",
    "witness": "sees the whole ceremony and confirms what was done, without a part in doing it",
    "auditor": "confirms as a witness does, and forms an opinion of their own",
    "observer": "is in the room, and neither acts nor confirms",
}
NOBODY_TWICE = "Nobody holds two of these roles, not as an alternate either."


def participants_to_come(record: Record) -> list[Block]:
    """The people the script names, with room to say who came and how they were identified."""
    rows = tuple((person.id, person.name, person.role, _alternates(person), "", "", "") for person in record.script.participants)
    columns = ("Id", "Name", "Role", "May stand in", "Who came (print)", "Identified by", "Initials")
    return [
        Heading("People and roles"),
        Paragraph(NOBODY_TWICE),
        Table(columns, rows, (4, 5, 5, 5, 6, 5, 4), (0,), by_hand=True),
        *_duties(record),
        *_credentials(record),
    ]


def people(record: Record) -> list[Block]:
    """The people the script names, and who acted in each one's place: by the roll-calls, else by who answered."""
    acted: dict[str, dict[str, None]] = {}
    for products in record.products():
        for id, acting in products.people.items():
            acted.setdefault(id, {})[acting.name] = None
    for line in record.of_type("confirmed", "ordered"):
        answer = data_as(Answered, line)
        acted.setdefault(answer.by, {answer.name: None})
    identified = _identified(record)
    rows = []
    for person in record.script.participants:
        names = acted.pop(person.id, {})
        rows.append(
            (person.id, person.role, person.name, _alternates(person), _presence(person.name, [*names]), identified.get(person.id, ""))
        )
    rows += [(id, "NOT IN THE SCRIPT", "", "", ", ".join(names), "") for id, names in acted.items()]
    columns, widths = ("Id", "Role", "Named in the script", "May stand in", "Acted", "Identified by"), (3, 4, 4, 4, 5, 4)
    told = len(columns) if identified else -1
    return [
        Heading("People and roles"),
        Paragraph(NOBODY_TWICE),
        Table(columns[:told], tuple(row[:told] for row in rows), widths[:told], (0,)),
        *_duties(record),
        *_approved(record),
        *_credentials(record),
    ]


def _alternates(person: Participant) -> str:
    return ", ".join(name for name, _ in person.standing_in) or "nobody"


def _presence(named: str, acted: list[str]) -> str:
    if not acted:
        return "no act of theirs in the record"
    return ", ".join("in person" if name == named else f"{name} STOOD IN" for name in acted)


def _identified(record: Record) -> dict[str, str]:
    """How each person was identified, as the roll-calls have it, by participant's id."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for line in record.of_type("confirmed"):
        asked, _, id = str(line.data.get("key")).partition("/")
        if asked == "identified":
            found[id][data_as(Answered, line).value] = None
    return {id: ", ".join(ways) for id, ways in found.items()}


def _duties(record: Record) -> list[Block]:
    roles = dict.fromkeys(person.role for person in record.script.participants)
    return [Facts(tuple((role, DUTIES.get(role, "a role that this report has no words for")) for role in roles))]


def _approved(record: Record) -> list[Block]:
    opened = record.opened
    if not opened or not opened.approved_by:
        return []
    return [Facts((("Approved by its digest, before it began", ", ".join(f"{one.name} ({one.id})" for one in opened.approved_by)),))]


def _credentials(record: Record) -> list[Block]:
    """The public keys by which people sign: the script's roster, or a rehearsal's made-up ones."""
    rows = []
    for person in record.script.participants:
        rows += [(f"{person.name} ({person.id})", person.credential)] if person.credential else []
        rows += [(f"{name} (for {person.id})", credential) for name, credential in person.standing_in if credential]
    blocks: list[Block] = [Heading("Credentials in the script", 2), Facts(tuple(rows))] if rows else []
    made_up = record.opened.credentials if record.opened else {}
    listed = [(f"{name} ({id})", str(key)) for id, keys in made_up.items() if isinstance(keys, dict) for name, key in keys.items()]
    return [*blocks, Heading("Credentials made up for this rehearsal", 2), Facts(tuple(listed))] if listed else blocks
