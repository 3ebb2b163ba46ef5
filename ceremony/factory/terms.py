"""On which terms an order is made: how long its certificates are valid, what is written for each, what is renewed."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography import x509

from ceremony.errors import CeremonyError
from ceremony.factory.folder import Accepted
from ceremony.factory.issuer import problems_with_issuer
from ceremony.pki.names import name_text, shown_text
from ceremony.pki.profiles import utc_text

BACKDATED = dt.timedelta(days=1)
"""A certificate begins a day before it is made, for the service's clock may be behind ours (reference: CERT_E_EXPIRED, 0x800B0101)."""


@dataclass(frozen=True)
class Terms:
    """What holds for each certificate of an order. `days` or `not_after` (UTC) say when it ends; neither: with its intermediate.

    `pkcs12` and `encrypted` say what is written. `renew`: an id whose certificate ends within so many days gets a new one, and
    one whose certificate ends later is left as it is; None: no id may have a certificate before.
    """

    days: int | None = None
    not_after: dt.datetime | None = None
    pkcs12: bool = False
    encrypted: bool = False
    renew: int | None = None

    def facts(self) -> Mapping[str, int | str | bool | None]:
        """All of it, as canonical JSON takes it: what makes two orders the same."""
        not_after = None if self.not_after is None else utc_text(self.not_after)
        return {"days": self.days, "not_after": not_after, "pkcs12": self.pkcs12, "encrypted": self.encrypted, "renew": self.renew}

    def validity(self, issuer: x509.Certificate, now: dt.datetime) -> tuple[dt.datetime, dt.datetime]:
        """Begin and end (UTC, whole seconds) of certificates that are made now.

        Raises CeremonyError FACTORY-VALIDITY for an end that is past, or later than the issuer's (RFC 5280 section 6.1 would let
        it stand, but nothing would verify it then).
        """
        begins = max(now.replace(microsecond=0) - BACKDATED, issuer.not_valid_before_utc)
        latest = issuer.not_valid_after_utc
        wanted = now.replace(microsecond=0) + dt.timedelta(days=self.days) if self.days is not None else self.not_after
        if wanted is None:
            return begins, latest
        if wanted <= now:
            raise _refused(f"They would end at {utc_text(wanted)}, and it is {utc_text(now)} here")
        if wanted > latest:
            raise _refused(f"They would end at {utc_text(wanted)}, later than their intermediate at {utc_text(latest)}")
        return begins, wanted


def refuse_unfit_issuer(accepted: Accepted, now: dt.datetime) -> None:
    """Raises CeremonyError FACTORY-CERTIFICATE-UNFIT when the intermediate may not issue device certificates at this time (UTC)."""
    if problems := problems_with_issuer(accepted.certificate, accepted.root, now):
        who = shown_text(name_text(accepted.certificate.subject))
        raise CeremonyError("FACTORY-CERTIFICATE-UNFIT", f"{who} can't issue: {'; '.join(problems)}.", state="Nothing was made.")


def _refused(why: str) -> CeremonyError:
    return CeremonyError("FACTORY-VALIDITY", f"{why}.", state="Nothing was made.")
