"""What is left to do of an order in an output folder: all of a new one, the rest of one that was broken off, what a renewal is due for."""

import datetime as dt
from collections.abc import Iterator
from itertools import chain, islice

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ceremony.errors import CeremonyError
from ceremony.factory.index import Order
from ceremony.factory.messages import Wanted
from ceremony.factory.order import Asked, Problems
from ceremony.factory.output import Output
from ceremony.factory.terms import Terms
from ceremony.pki.profiles import utc_text
from ceremony.words import sha256_hex

_AT_ONCE = 250


class Todo:
    """The order, held against the index. `there` ids have what was asked for already, `left` ids do not."""

    def __init__(self, asked: Asked, output: Output, terms: Terms, issuer: x509.Certificate, now: dt.datetime) -> None:
        """Raises CeremonyError FACTORY-ID-TAKEN with every id or key that may not have another certificate, FACTORY-VALIDITY."""
        self.output = output
        self._asked, self._index = asked, output.index
        self.renewing = terms.renew is not None
        """Whether an id may have a certificate before."""
        self._issuer_sha256 = sha256_hex(issuer.public_bytes(Encoding.DER))
        self._sha256 = asked.sha256({**terms.facts(), "issuer": self._issuer_sha256})
        self._known = self._index.order(self._sha256)
        self.goes_on = self._known is not None and self._known.finished_at is None
        """Whether an order is taken up that was begun before."""
        # From the day on which it was begun: later, what it renewed itself could be due again.
        begun = dt.datetime.fromisoformat(self._known.begun_at) if self._known is not None and self.goes_on else now
        self._renewed_until = "" if terms.renew is None else utc_text(begun + dt.timedelta(days=terms.renew))
        self._dates = self._dates_of(terms, issuer, now)
        if self._known is None and not self.renewing:
            self._refuse_taken_ids()
        self._refuse_taken_keys()
        self.left = sum(len(wanted) for wanted in self.batches(_AT_ONCE))
        self.there = asked.ours - self.left

    @property
    def not_after(self) -> str:
        """When the certificates end (RFC 3339)."""
        return self._dates[1]

    def begin(self, now: dt.datetime) -> Order:
        """The order's entry in the index: the one that goes on, or a new one."""
        if self._known is not None and self._known.finished_at is None:
            return self._known
        return self._index.begin(self._sha256, self._issuer_sha256, self._asked.ours, *self._dates, utc_text(now))

    def finish_without_more(self, now: dt.datetime) -> None:
        """Says that all is there already; nothing when that was said before."""
        if self._known is None or self.goes_on:
            self._index.finish(self.begin(now), utc_text(now))

    def batches(self, size: int) -> Iterator[list[Wanted]]:
        """What is left, by the index as it is when a batch is taken; all but the last have this size."""
        left = chain.from_iterable(map(self._without_those_there, self._asked.batches(_AT_ONCE)))
        while batch := list(islice(left, size)):
            yield batch

    def _without_those_there(self, wanted: list[Wanted]) -> list[Wanted]:
        current = self._index.current([one.registration_id for one in wanted])
        return [one for one in wanted if current.get(one.registration_id.lower(), "") <= self._renewed_until]

    def _dates_of(self, terms: Terms, issuer: x509.Certificate, now: dt.datetime) -> tuple[str, str]:
        """Those that the order was begun with, or those of a new one."""
        if self._known is not None and self._known.finished_at is None:
            _refuse_past(self._known, now)
            return self._known.not_before, self._known.not_after
        begins, ends = map(utc_text, terms.validity(issuer, now))
        if ends <= self._renewed_until:
            what = f"They would end at {ends}, and what ends before {self._renewed_until} is what --renew {terms.renew} renews."
            raise CeremonyError("FACTORY-VALIDITY", what, state="Nothing was made.")
        return begins, ends

    def _refuse_taken_ids(self) -> None:
        problems = Problems()
        for wanted in self._asked.batches(_AT_ONCE):
            current = self._index.current([one.registration_id for one in wanted])
            for one in wanted:
                if ends := current.get(one.registration_id.lower()):
                    problems.add(f"'{one.registration_id}'", f"has a certificate until {ends}")
        problems.refuse("FACTORY-ID-TAKEN", "of the ids have a certificate in this folder already")

    def _refuse_taken_keys(self) -> None:
        problems = Problems()
        for wanted in self._asked.batches(_AT_ONCE):
            ids = {sha256_hex(one.public_key_der): one.registration_id for one in wanted if one.public_key_der is not None}
            for key, holder in self._index.holders(list(ids)):
                if holder.lower() != ids[key].lower():
                    problems.add(f"'{ids[key]}'", f"has the key of '{holder}', for which a certificate was made")
        problems.refuse("FACTORY-ID-TAKEN", "of the requests are for a key that has a certificate")


def _refuse_past(order: Order, now: dt.datetime) -> None:
    if order.not_after <= utc_text(now):
        what = f"The order that was begun at {order.begun_at} is of certificates that end at {order.not_after}, which is past."
        do_now = "Name an end in the future and add --renew 0, which leaves as they are those that are made and still valid."
        raise CeremonyError("FACTORY-VALIDITY", what, state="Nothing was made.", do_now=do_now)
