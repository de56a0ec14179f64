"""What the ledger writes itself and takes from nobody else: corrections, erasures, policies, rates, days, alerts, exports.

Those about one relationship have it as their subject; the others stand in the ledger's own stream, subject ``ledger``.
"""

from datetime import date
from typing import Annotated, Any

from msgspec import Meta

from schemas.catalogue.values import Count, Currency, Data, Id, Label, Moment, Value, doc

Points = Annotated[float, Meta(ge=0, le=100)]


class TouchpointRef(Value, frozen=True):
    """Names a touchpoint for ever."""

    source: str
    id: str


class Correction(Data, frozen=True):
    """A touchpoint was a mistake. Views follow the correction, the history keeps both."""

    of: Annotated[TouchpointRef, doc("the touchpoint that was wrong")]
    reason: Annotated[str, doc("in words", personal=True)]
    replacement: Annotated[dict[str, Any] | None, doc("the data it should have held; absent: it is withdrawn", personal=True)] = None
    type: Annotated[Label | None, doc("of the touchpoint; says which fields of the replacement are personal")] = None


class SubjectErased(Data, frozen=True):
    """The key to a relationship's personal data was destroyed."""

    reason: Annotated[str, doc("the request or rule it rests on")]


class HoldPlaced(Data, frozen=True):
    """A relationship's personal data must be kept for now, whoever asks for its erasure: a lawsuit, an audit."""

    reason: Annotated[str, doc("the case or rule it rests on")]


class HoldReleased(Data, frozen=True):
    """A relationship's personal data need no longer be kept."""

    reason: Annotated[str, doc("why not")]


class LetterDismissed(Data, frozen=True):
    """A dead letter needs no correction: a test message, one that was sent again by other means. It stays as it came."""

    number: Annotated[Count, doc("of the dead letter, as `rledger deadletters list` has it")]
    code: Annotated[Label, doc("why it had been refused")]
    reason: Annotated[str, doc("why nothing is to be done about it")]


class MasterKeyChanged(Data, frozen=True):
    """The keys of all personal data were wrapped by another master key. The keys are named, not told."""

    master: Annotated[Label, doc("the name of the new one")]
    keys: Annotated[Count, doc("how many were wrapped anew")]
    reason: str | None = None


class PolicyAdopted(Data, frozen=True):
    """From here on scores follow this policy."""

    version: Id
    policy: Annotated[str, doc("the whole policy file, as TOML")]
    reason: str | None = None


class SigningKeyAdopted(Data, frozen=True):
    """From here on checkpoints are signed with this key, and with no earlier one."""

    vkey: Annotated[str, doc("the C2SP verifier key, which is public")]
    replaces: Annotated[str | None, doc("the verifier key it takes the place of")] = None
    reason: str | None = None


class ExchangeRate(Data, frozen=True):
    """What one unit of a currency was worth in another, from a day on."""

    base: Currency
    quote: Currency
    rate: Annotated[str, Meta(pattern=r"^(0|[1-9][0-9]{0,14})(\.[0-9]{1,12})?$(?!\n)"), doc("decimal: units of quote for one of base")]
    effective_on: date
    origin: Annotated[Label | None, doc("who publishes it")] = None


class DayClosed(Data, frozen=True):
    """A day is over: what was due by its end is now overdue."""

    day: Annotated[date, doc("UTC")]


class AlertAcknowledged(Data, frozen=True):
    """Somebody has seen an alert. The envelope's ``actor`` is who."""

    alert_id: Id
    note: Annotated[str | None, doc("in words", personal=True)] = None


class AlertAssigned(Data, frozen=True):
    """An alert was given to somebody."""

    alert_id: Id
    assignee: Annotated[Label, doc("who should see to it", personal=True)]
    note: Annotated[str | None, doc("in words", personal=True)] = None


class AlertSnoozed(Data, frozen=True):
    """An alert was put aside for a while."""

    alert_id: Id
    until: Moment
    note: Annotated[str | None, doc("in words", personal=True)] = None


class AlertResolved(Data, frozen=True):
    """An alert was dealt with."""

    alert_id: Id
    note: Annotated[str | None, doc("in words", personal=True)] = None


class Replayed(Data, frozen=True):
    """Somebody looked at a view as of a moment, or at what differs between two. The envelope's ``actor`` is who."""

    view: Label
    size: Annotated[Count, doc("how many events were known")]
    as_of: Annotated[Moment | None, doc("only what had happened by then")] = None
    known_at: Annotated[Moment | None, doc("only what was recorded by then")] = None
    against: Annotated[Moment | None, doc("the moment it was compared with")] = None


class AlertDelivered(Data, frozen=True):
    """An alert was told to the world outside, once."""

    alert_id: Id
    to: Annotated[Label, doc("where: ``kafka:relationship.alerts`` ...")]


class ExitProposed(Data, frozen=True):
    """At the close of a day the views held a relationship for harmful: a proposal to a person. Or they no longer do."""

    proposed: Annotated[bool, doc("false: the proposal is withdrawn")]
    quality: Annotated[Points | None, doc("0-100")] = None
    reasons: Annotated[tuple[str, ...] | None, doc("in words")] = None
    policy: Annotated[Label | None, doc("version of the policy it rests on")] = None


class ReputationNoted(Data, frozen=True):
    """How our conduct stood with everybody at the close of a day."""

    day: Annotated[date, doc("UTC")]
    level: Annotated[Points, doc("0-100")]
    low: Annotated[Points, doc("the interval's lower end")]
    high: Points
    policy: Annotated[Label | None, doc("version of the policy it rests on")] = None


class Restored(Data, frozen=True):
    """The ledger was restored from a backup older than what was signed: events were lost. The envelope's ``actor`` is who decided it."""

    events: Annotated[Count, doc("how many the backup had; this event follows them")]
    signed: Annotated[Count, doc("how many the newest checkpoint that was known had")]
    checkpoint: Annotated[str, doc("that checkpoint, which this log does not continue")]
    reason: str | None = None


class Exported(Data, frozen=True):
    """Events left the ledger in files. The envelope's ``actor`` is who took them."""

    format: Annotated[Label, doc("parquet, jsonl, backup ...")]
    events: Count
    first_position: Count
    last_position: Count
    reason: str | None = None
    size: Annotated[Count | None, doc("of the tree of the checkpoint that they rest on")] = None
    selection: Annotated[dict[str, Any] | None, doc("which events were asked for; absent: all")] = None
    folder: Annotated[str | None, doc("where they were written, as the machine that did so names it")] = None
