"""The touchpoint catalogue: every type there is, its data as a frozen Struct, and one registry of them all.

``CATALOGUE`` is the single source: decoding, the JSON Schemas, the AsyncAPI document and the reference pages come from it.
A field is added as optional; anything else is a new version of the type, with a step in ``upcasts.py``.
"""

from typing import Any

import msgspec

from schemas.catalogue.conduct import (
    SCALES,
    Action,
    Assessment,
    Closed,
    Complaint,
    ComplaintResolved,
    Contact,
    Feedback,
    FeedbackScale,
    Incident,
    Inspection,
    Opened,
    Promise,
    PromiseSettled,
    Referral,
    RequestAnswered,
)
from schemas.catalogue.deals import (
    ContractBreached,
    ContractEnded,
    ContractRenewed,
    ContractSigned,
    Incentive,
    Issue,
    NegotiationClosed,
    NegotiationOffer,
    NegotiationOpened,
    Ours,
    Span,
    Theirs,
)
from schemas.catalogue.examples import EXAMPLES
from schemas.catalogue.own import (
    AlertAcknowledged,
    AlertAssigned,
    AlertDelivered,
    AlertResolved,
    AlertSnoozed,
    Correction,
    DayClosed,
    ExchangeRate,
    ExitProposed,
    Exported,
    HoldPlaced,
    HoldReleased,
    LetterDismissed,
    MasterKeyChanged,
    PolicyAdopted,
    Replayed,
    ReputationNoted,
    Restored,
    SigningKeyAdopted,
    SubjectErased,
    TouchpointRef,
)
from schemas.catalogue.trade import (
    Delivery,
    Disrupted,
    Information,
    InvoiceDisputed,
    OrderedItem,
    OrderPlaced,
    Payment,
    Purchase,
    Qualified,
    Quote,
    Rate,
    Return,
    SoldItem,
)
from schemas.catalogue.values import By, Data, Kind, Money, Severity, SignedMoney

RESERVED_PREFIX = "ledger."  # types that only the ledger itself may write


Shape = type[Data]


class CatalogueEntry(msgspec.Struct, frozen=True):
    """One type of the catalogue.

    kinds: the relationships it makes sense for. On another kind it is accepted and counted, and is no evidence.
        Empty for what concerns no relationship and stands in the ledger's own stream.
    example: of its data, as it goes over the wire.
    summary: one sentence or two, for people.
    """

    type: str
    struct: Shape
    kinds: tuple[Kind, ...]
    example: dict[str, Any]
    summary: str


_NONE: tuple[Kind, ...] = ()
_CUSTOMER: tuple[Kind, ...] = ("customer",)
_PARTNER: tuple[Kind, ...] = ("partner",)
_BOTH: tuple[Kind, ...] = ("customer", "partner")

_TYPES: tuple[tuple[str, Shape, tuple[Kind, ...]], ...] = (
    ("relationship.opened.v1", Opened, _BOTH),
    ("relationship.closed.v1", Closed, _BOTH),
    ("relationship.contact.v1", Contact, _BOTH),
    ("relationship.feedback.v1", Feedback, _BOTH),
    ("relationship.complaint.v1", Complaint, _BOTH),
    ("relationship.complaint-resolved.v1", ComplaintResolved, _BOTH),
    ("relationship.purchase.v1", Purchase, _CUSTOMER),
    ("relationship.return.v1", Return, _BOTH),
    ("relationship.delivery.v1", Delivery, _BOTH),
    ("relationship.payment.v1", Payment, _BOTH),
    ("relationship.invoice-disputed.v1", InvoiceDisputed, _BOTH),
    ("relationship.rate.v1", Rate, _PARTNER),
    ("relationship.negotiation-opened.v1", NegotiationOpened, _BOTH),
    ("relationship.negotiation-offer.v1", NegotiationOffer, _BOTH),
    ("relationship.negotiation-closed.v1", NegotiationClosed, _BOTH),
    ("relationship.contract-signed.v1", ContractSigned, _BOTH),
    ("relationship.contract-renewed.v1", ContractRenewed, _BOTH),
    ("relationship.contract-ended.v1", ContractEnded, _BOTH),
    ("relationship.contract-breached.v1", ContractBreached, _BOTH),
    ("relationship.inspection.v1", Inspection, _PARTNER),
    ("relationship.incident.v1", Incident, _BOTH),
    ("relationship.incentive.v1", Incentive, _BOTH),
    ("relationship.referral.v1", Referral, _CUSTOMER),
    ("relationship.request-answered.v1", RequestAnswered, _BOTH),
    ("relationship.promise.v1", Promise, _BOTH),
    ("relationship.promise-settled.v1", PromiseSettled, _BOTH),
    ("relationship.order-placed.v1", OrderPlaced, _PARTNER),
    ("relationship.quote.v1", Quote, _PARTNER),
    ("relationship.information.v1", Information, _PARTNER),
    ("relationship.qualified.v1", Qualified, _PARTNER),
    ("relationship.disrupted.v1", Disrupted, _PARTNER),
    ("relationship.assessment.v1", Assessment, _BOTH),
    ("relationship.action.v1", Action, _BOTH),
    ("ledger.correction.v1", Correction, _BOTH),
    ("ledger.subject-erased.v1", SubjectErased, _BOTH),
    ("ledger.hold-placed.v1", HoldPlaced, _BOTH),
    ("ledger.hold-released.v1", HoldReleased, _BOTH),
    ("ledger.letter-dismissed.v1", LetterDismissed, _NONE),
    ("ledger.master-key-changed.v1", MasterKeyChanged, _NONE),
    ("ledger.policy-adopted.v1", PolicyAdopted, _NONE),
    ("ledger.signing-key-adopted.v1", SigningKeyAdopted, _NONE),
    ("ledger.exchange-rate.v1", ExchangeRate, _NONE),
    ("ledger.day-closed.v1", DayClosed, _NONE),
    ("ledger.alert-acknowledged.v1", AlertAcknowledged, _BOTH),
    ("ledger.alert-assigned.v1", AlertAssigned, _BOTH),
    ("ledger.alert-snoozed.v1", AlertSnoozed, _BOTH),
    ("ledger.alert-resolved.v1", AlertResolved, _BOTH),
    ("ledger.alert-delivered.v1", AlertDelivered, _BOTH),
    ("ledger.exit-proposed.v1", ExitProposed, _BOTH),
    ("ledger.reputation-noted.v1", ReputationNoted, _NONE),
    ("ledger.exported.v1", Exported, _NONE),
    ("ledger.replayed.v1", Replayed, _NONE),
    ("ledger.restored.v1", Restored, _NONE),
)

CATALOGUE: dict[str, CatalogueEntry] = {
    type_: CatalogueEntry(type_, struct, kinds, EXAMPLES[struct], " ".join((struct.__doc__ or "").split()))
    for type_, struct, kinds in _TYPES
}
"""Every type of touchpoint by its name, in the order the reference shows them."""

__all__ = [
    "CATALOGUE",
    "RESERVED_PREFIX",
    "SCALES",
    "Action",
    "AlertAcknowledged",
    "AlertAssigned",
    "AlertDelivered",
    "AlertResolved",
    "AlertSnoozed",
    "Assessment",
    "By",
    "CatalogueEntry",
    "Closed",
    "Complaint",
    "ComplaintResolved",
    "Contact",
    "ContractBreached",
    "ContractEnded",
    "ContractRenewed",
    "ContractSigned",
    "Correction",
    "Data",
    "DayClosed",
    "Delivery",
    "Disrupted",
    "ExchangeRate",
    "ExitProposed",
    "Exported",
    "Feedback",
    "FeedbackScale",
    "HoldPlaced",
    "HoldReleased",
    "Incentive",
    "Incident",
    "Information",
    "Inspection",
    "InvoiceDisputed",
    "Issue",
    "Kind",
    "LetterDismissed",
    "MasterKeyChanged",
    "Money",
    "NegotiationClosed",
    "NegotiationOffer",
    "NegotiationOpened",
    "Opened",
    "OrderPlaced",
    "OrderedItem",
    "Ours",
    "Payment",
    "PolicyAdopted",
    "Promise",
    "PromiseSettled",
    "Purchase",
    "Qualified",
    "Quote",
    "Rate",
    "Referral",
    "Replayed",
    "ReputationNoted",
    "RequestAnswered",
    "Restored",
    "Return",
    "Severity",
    "SignedMoney",
    "SigningKeyAdopted",
    "SoldItem",
    "Span",
    "SubjectErased",
    "Theirs",
    "TouchpointRef",
]
