"""A proposed deal as it comes in: the issues of a negotiation and the terms on the table. Read, or refused with a reason."""

from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta

from schemas.catalogue import Issue
from schemas.catalogue.deals import Terms
from schemas.errors import LedgerError

DealCode = Literal[
    "not_json",  # no UTF-8 JSON
    "bad_deal",  # a field is missing, unknown to its type, or out of range
    "unknown_issue",  # a term for an issue that is not listed
    "no_terms",  # no issue has a term
    "not_an_option",  # a term that is none of the issue's options
    "no_range",  # a side gains nothing from any issue: no range between target and reservation, or no weight
    "too_many_options",  # the options combine to more points than can be weighed
]
DEAL_CODES: tuple[str, ...] = get_args(DealCode)


ISSUES_MAX = 100  # of a deal; more would be a list of goods, not a negotiation


class DealError(LedgerError):
    """A proposed deal that cannot be evaluated. The message says what to correct; ``code`` is one of ``DEAL_CODES``."""

    def __init__(self, code: DealCode, reason: str) -> None:
        self.code = code  # type: ignore[misc]  # per instance: one reaction, many reasons
        self.reason = reason
        super().__init__(reason)


class Proposal(msgspec.Struct, frozen=True):
    """Terms for the issues of a negotiation. Fields it does not know are ignored, so an opening with ``terms`` added will do."""

    issues: Annotated[tuple[Issue, ...], Meta(min_length=1, max_length=ISSUES_MAX)]
    terms: Terms

    def __post_init__(self) -> None:
        names = [issue.issue for issue in self.issues]
        if len(set(names)) < len(names):
            raise ValueError("issues names an issue twice")


def decode(body: bytes) -> Proposal:
    """Read a proposal from one JSON object.

    Raises:
        DealError: ``not_json`` or ``bad_deal``.
    """
    try:
        return _decode(body)
    except msgspec.ValidationError as error:
        raise DealError("bad_deal", str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DealError("not_json", f"no JSON object: {error}") from error


_decode = msgspec.json.Decoder(Proposal).decode
