"""The certificates that the script re-issues, found in what `use-root` took over from the ledger."""

import msgspec

from ceremony.engine.step import Known
from ceremony.pki.reissuing import reissues
from ceremony.pki.revoking import Certified


def reissued_by(known: Known) -> dict[str, Certified]:
    """What is re-issued, by the name of the intermediate (see pki.reissuing.reissues, and what it raises)."""
    certified = [msgspec.convert(entry, Certified) for entry in known.products.get("certified", [])]
    roots = [known.products[name] for name in ("root_certificate_sha256", "old_root_certificate_sha256") if name in known.products]
    # A root whose last token is lost can't re-issue: its twin does.
    roots += known.products.get("roots_lost", [])
    return reissues(known.script.intermediates, known.script.revoke, certified, roots, rehearsal=known.rehearsal)
