"""What comes back from a site: read, compared with what was sent, and kept.

A receipt says what a site holds, and is believed as far as its signature. A code says
whether it holds what one thinks. Either confirms or contradicts; what the site holds is
what the next delivery can build on.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from itertools import groupby

from airlift.errors import RequestError
from airlift.format import state
from airlift.format.receipt import Gap, Receipt
from airlift.outbound.candidates import ANCHOR_HINT, Candidate, explaining
from airlift.outbound.comparing import Difference, differences
from airlift.outbound.expectation import Expectation
from airlift.outbound.ledger import Ledger
from airlift.outbound.receipt_checks import check_known, is_repeat
from airlift.outbound.standing import (
    Confirmed,
    LastReceipt,
    Means,
    Outcome,
    Reading,
    Standing,
)
from airlift.outbound.witness import advanced
from airlift.trust.publisher import Publisher
from airlift.trust.receipt import SignedReceipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What a reading came to.

    Attributes:
        site: Whose it is.
        outcome: What the site holds, beside what it should.
        repeat: Whether it had said the same before, so that nothing changed.
        confirmed: What the site is known to hold now; None if that is nothing.
        code: The code of what it holds, as it said.
        expected: The code of what it should hold after the same delivery.
        lost: Deliveries that it never took, as far as that is news.
        differences: What it holds that differs, where that is known.
        receipt: What was read, if it was a receipt.
    """

    site: str
    outcome: Outcome
    repeat: bool
    confirmed: Confirmed | None
    code: str
    expected: str
    lost: tuple[int, ...] = ()
    differences: tuple[Difference, ...] = ()
    receipt: Receipt | None = None

    @property
    def advice(self) -> str:
        """What to do now; empty where nothing is to be done."""
        if self.outcome is Outcome.UNEXPLAINED:
            return f"ask for its receipt (`airlift receipt export`), or {ANCHOR_HINT}"
        if self.outcome is Outcome.CONTRADICTED:
            carry = (
                "`airlift export MANIFEST --build-on confirmed` carries what it lacks"
            )
            return f"{carry}; where in doubt, {ANCHOR_HINT}"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Reads what comes back.

    Attributes:
        ledger: What was sent, and what sites said.
        publisher: What was signed.
        now: ``YYYY-MM-DDThh:mm:ssZ``.
        actor: Who reads.
    """

    ledger: Ledger
    publisher: Publisher
    now: str
    actor: str

    def receipt(self, signed: SignedReceipt) -> Read:
        """Take in a receipt that a site's key signed.

        Raises:
            RequestError: It is older than the newest that was read.
            TrustError: It contradicts itself, or speaks of what was never sent.
            StoreError: The disk refuses.
        """
        told, site = signed.receipt, signed.receipt.site
        standing = self.ledger.standing(site)
        # Behind a new key is a site that began anew: what it said before is of a store
        # that is no more.
        anew = standing.receipt and standing.receipt.key_id != signed.key.key_id
        if anew:
            standing = replace(standing, confirmed=None)
        expectation = Expectation(self.ledger, self.publisher, standing, site)
        repeat = is_repeat(signed, standing)
        check_known(told, expectation)
        log = advanced(signed, standing.log, anew=bool(anew))
        should = expectation.expected(told.state.sequence)
        confirmed = standing.confirmed
        if not (repeat and confirmed):
            confirmed = Confirmed(
                state=told.state, means=Means.RECEIPT, time=self.now, missed=told.missed
            )
        read = Read(
            site=site,
            outcome=_outcome(same=should == told.state),
            repeat=repeat,
            confirmed=confirmed,
            code=state.code(state.root(told.state)),
            expected=state.code(state.root(should)),
            lost=_news(confirmed, standing.confirmed, expectation),
            differences=differences(should, told.state, expectation),
            receipt=told,
        )
        last = LastReceipt(number=told.number, id=signed.id, key_id=signed.key.key_id)
        self._keep(replace(standing, confirmed=confirmed, receipt=last, log=log), read)
        return read

    def code(self, site: str, text: str) -> Read:
        """Take in the code of its state that somebody at *site* read out.

        Raises:
            RequestError: It is no code, of an earlier state, or a slip away from one;
                or the ledger does not know all that was sent.
            StoreError: The disk refuses.
        """
        heard = state.parse_code(text)
        standing = self.ledger.standing(site)
        expectation = Expectation(self.ledger, self.publisher, standing, site)
        if not expectation.complete:
            problem = f"the ledger lacks deliveries to {site}: no code can be compared"
            raise RequestError(problem, hint=f"read a receipt, or {ANCHOR_HINT}")
        if found := explaining(heard, expectation):
            read, confirmed = self._explained(found, expectation)
            self._keep(replace(standing, confirmed=confirmed), read)
            return read
        read = Read(
            site=site,
            outcome=Outcome.UNEXPLAINED,
            repeat=False,
            confirmed=standing.confirmed,
            code=heard,
            expected=expectation.code(),
        )
        self._keep(standing, read)
        return read

    def _explained(
        self, found: Candidate, expectation: Expectation
    ) -> tuple[Read, Confirmed]:
        before = expectation.confirmed
        repeat = before is not None and before.state == found.state
        confirmed = (
            before if before and repeat else _by_code(found, expectation, self.now)
        )
        should = expectation.expected(found.state.sequence)
        read = Read(
            site=expectation.site,
            outcome=_outcome(same=should == found.state),
            repeat=repeat,
            confirmed=confirmed,
            code=found.code,
            expected=state.code(state.root(should)),
            lost=tuple(sorted(found.lost)),
            differences=differences(should, found.state, expectation),
        )
        return read, confirmed

    def _keep(self, standing: Standing, read: Read) -> None:
        reading = Reading(
            time=self.now,
            actor=self.actor,
            means=Means.RECEIPT if read.receipt else Means.CODE,
            outcome=read.outcome,
            code=read.code,
        )
        readings = (*standing.readings, reading)
        self.ledger.keep_standing(read.site, replace(standing, readings=readings))


def _outcome(*, same: bool) -> Outcome:
    return Outcome.CONFIRMED if same else Outcome.CONTRADICTED


def _news(
    told: Confirmed, before: Confirmed | None, expectation: Expectation
) -> tuple[int, ...]:
    """Return which deliveries that were written never came, as far as that is news."""
    return tuple(
        one.sequence
        for one in expectation.entries
        if one.written
        and told.never_took(one.sequence)
        and not (before and before.never_took(one.sequence))
    )


def _by_code(found: Candidate, expectation: Expectation, now: str) -> Confirmed:
    """Return what follows from a code that is that of *found*."""
    before, newest = expectation.confirmed, found.state.sequence
    sent = {one.sequence for one in expectation.since(expectation.base)}
    moot = {one for one in sent if one < newest} - found.lost - found.counted
    return Confirmed(
        state=found.state,
        means=Means.CODE,
        time=now,
        missed=(*(before.missed if before else ()), *_gaps(found.lost)),
        moot=(*(before.moot if before else ()), *_gaps(moot)),
    )


def _gaps(sequences: Collection[int]) -> tuple[Gap, ...]:
    numbered = enumerate(sorted(sequences))
    runs = ([one for _, one in run] for _, run in groupby(numbered, _offset))
    return tuple(Gap(first=run[0], last=run[-1]) for run in runs)


def _offset(pair: tuple[int, int]) -> int:
    return pair[1] - pair[0]
