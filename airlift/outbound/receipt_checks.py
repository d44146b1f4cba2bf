"""Whether a signed receipt can be what it says: its place, and what it speaks of."""

from airlift.digest import sha256
from airlift.errors import RequestError, TrustError
from airlift.format import dispatch
from airlift.format.receipt import Receipt
from airlift.outbound.expectation import Expectation
from airlift.outbound.standing import Standing
from airlift.trust.receipt import SignedReceipt

_COPIED = (
    "an old copy of that host runs beside it or in its place: find out; a host that"
    " begins anew makes a new key (`airlift trust site-key --replace`)"
)
_FORKED = "this ledger is an old copy, or somebody else sends to that site: find out"


def is_repeat(signed: SignedReceipt, standing: Standing) -> bool:
    """Say whether this very receipt was read before.

    Raises:
        RequestError: It is older than the newest that was read, or than a code.
        TrustError: It is another one of the same number, or does not follow that.
    """
    told, last = signed.receipt, standing.receipt
    if last is None or last.key_id != signed.key.key_id:
        return False
    said = standing.confirmed.state.sequence if standing.confirmed else 0
    if told.number < last.number:
        raise _older(told, f"receipt {last.number}, which was read before")
    if signed.id == last.id and told.state.sequence < said:
        raise _older(told, f"its code after delivery {said}, which was read since")
    if told.number == last.number and signed.id != last.id:
        problem = f"there are two receipts {told.number} of {told.site}"
        raise TrustError(problem, hint=_COPIED)
    if told.number == last.number + 1 and told.previous != last.id:
        problem = (
            f"receipt {told.number} of {told.site} follows another receipt"
            f" {last.number} than the one that was read"
        )
        raise TrustError(problem, hint=_COPIED)
    if told.state.sequence < said:
        problem = (
            f"{told.site} says it took deliveries up to {told.state.sequence}, and"
            f" said {said} before"
        )
        raise TrustError(problem, hint=_COPIED)
    return told.number == last.number


def _older(told: Receipt, what: str) -> RequestError:
    problem = f"receipt {told.number} of {told.site} is older than {what}"
    hint = "bring the newest: `airlift receipt export` on the isolated host"
    return RequestError(problem, hint=hint)


def check_known(told: Receipt, expectation: Expectation) -> None:
    """Check that a receipt speaks of nothing but what was sent.

    Raises:
        TrustError: It does: one side was put back, or somebody else sends.
    """
    sent = {one.sequence: one for one in expectation.entries}
    newest, site = told.state.sequence, told.site
    if newest and newest not in sent:
        problem = f"{site} says it took delivery {newest}, which was never made here"
        raise TrustError(problem, hint=_FORKED)
    if newest and sha256(dispatch.encode(sent[newest].record)) != told.dispatch:
        problem = f"{site} took another delivery {newest} than was made here"
        raise TrustError(problem, hint=_FORKED)
    named = {
        release
        for one in sent.values()
        if told.took(one.sequence)
        for release in one.record.releases
    }
    if strange := sorted(set(told.state.releases) - named):
        problem = (
            f"{site} says it holds release {strange[0][:12]}, which none of the"
            " deliveries that it took brought"
        )
        raise TrustError(problem, hint=_FORKED)
