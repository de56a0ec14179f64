import json
from typing import Any

import msgspec
import pytest
from msgspec.structs import fields

from schemas.catalogue import CATALOGUE, SCALES, Data, Money, Purchase, SignedMoney
from schemas.catalogue.examples import EXAMPLES

FIELDS = {
    "relationship.opened.v1": "name counterparty? segment? channel? owner? region? incentive?",
    "relationship.closed.v1": "by reason?",
    "relationship.contact.v1": "channel direction response_hours? sentiment?",
    "relationship.feedback.v1": "scale value about? comment?",
    "relationship.complaint.v1": "complaint_id by severity topic?",
    "relationship.complaint-resolved.v1": "complaint_id outcome satisfied? compensation?",
    "relationship.purchase.v1": "order_id amount margin? channel? items?",
    "relationship.return.v1": "order_id amount? reason",
    "relationship.delivery.v1": "order_id by promised_at delivered_at quantity_promised? quantity_delivered? defective?",
    "relationship.payment.v1": "invoice_id by amount due_on paid_on",
    "relationship.invoice-disputed.v1": "invoice_id by amount? reason?",
    "relationship.rate.v1": "item unit rate effective_on benchmark? quantity?",
    "relationship.negotiation-opened.v1": "negotiation_id about? issues",
    "relationship.negotiation-offer.v1": "negotiation_id by terms",
    "relationship.negotiation-closed.v1": "negotiation_id outcome terms?",
    "relationship.contract-signed.v1": "contract_id starts_on ends_on? value? renewal? notice_days? negotiation_id?",
    "relationship.contract-renewed.v1": "contract_id ends_on? value?",
    "relationship.contract-ended.v1": "contract_id reason by?",
    "relationship.contract-breached.v1": "contract_id by severity clause?",
    "relationship.inspection.v1": "lot_id inspected defective",
    "relationship.incident.v1": "incident_id by severity about?",
    "relationship.incentive.v1": "incentive_id by form value? condition?",
    "relationship.referral.v1": "referred converted?",
    "relationship.request-answered.v1": "request_id by asked_at answered_at",
    "relationship.promise.v1": "promise_id by what? due_at",
    "relationship.promise-settled.v1": "promise_id status",
    "relationship.order-placed.v1": "order_id amount category? promised_at? items?",
    "relationship.quote.v1": "rfq_id asked_at due_at? answered_at? item? price? declined?",
    "relationship.information.v1": "item requested_at? supplied_at accuracy?",
    "relationship.qualified.v1": "category alternatives certifications? valid_until?",
    "relationship.disrupted.v1": "item? starts_on ends_on? cause? notice_days?",
    "relationship.assessment.v1": "assessor dimension value rationale",
    "relationship.action.v1": "action_id play owner? note?",
}
"""What was promised to everyone who publishes: a name here never changes, and a field without ``?`` is always there."""

OWN_TYPES = {
    "ledger.correction.v1",
    "ledger.subject-erased.v1",
    "ledger.hold-placed.v1",
    "ledger.hold-released.v1",
    "ledger.letter-dismissed.v1",
    "ledger.master-key-changed.v1",
    "ledger.policy-adopted.v1",
    "ledger.signing-key-adopted.v1",
    "ledger.exchange-rate.v1",
    "ledger.day-closed.v1",
    "ledger.alert-acknowledged.v1",
    "ledger.alert-assigned.v1",
    "ledger.alert-snoozed.v1",
    "ledger.alert-resolved.v1",
    "ledger.alert-delivered.v1",
    "ledger.exit-proposed.v1",
    "ledger.reputation-noted.v1",
    "ledger.exported.v1",
    "ledger.replayed.v1",
    "ledger.restored.v1",
}

PERSONAL = {
    "Action": {"owner", "note"},
    "AlertAcknowledged": {"note"},
    "AlertAssigned": {"assignee", "note"},
    "AlertResolved": {"note"},
    "AlertSnoozed": {"note"},
    "Assessment": {"assessor", "rationale"},
    "Closed": {"reason"},
    "Correction": {"reason", "replacement"},
    "Feedback": {"comment"},
    "InvoiceDisputed": {"reason"},
    "Opened": {"name", "owner"},
    "Promise": {"what"},
}

AMOUNT = {"amount": "1.00", "currency": "EUR"}


def decode(struct: type[Data], data: object) -> Data:
    return msgspec.json.decode(json.dumps(data), type=struct)


def refusal(type_: str, changes: dict[str, Any]) -> str:
    entry = CATALOGUE[type_]
    with pytest.raises(msgspec.ValidationError) as caught:
        decode(entry.struct, {**entry.example, **changes})
    return str(caught.value)


def test_every_promised_type_and_field_is_there_under_its_name() -> None:
    assert set(CATALOGUE) == set(FIELDS) | OWN_TYPES
    for type_, promised in FIELDS.items():
        found = {field.name + ("" if field.required else "?") for field in fields(CATALOGUE[type_].struct)}
        assert found == set(promised.split()), type_


def test_every_type_has_one_struct_and_one_example() -> None:
    structs = [entry.struct for entry in CATALOGUE.values()]
    assert len(set(structs)) == len(structs)
    assert set(EXAMPLES) == set(structs)


@pytest.mark.parametrize("type_", CATALOGUE)
def test_an_example_comes_back_as_it_went_in(type_: str) -> None:
    entry = CATALOGUE[type_]
    assert msgspec.json.decode(msgspec.json.encode(decode(entry.struct, entry.example))) == entry.example


@pytest.mark.parametrize("type_", CATALOGUE)
def test_only_the_fields_that_may_be_absent_may_be_absent_or_null(type_: str) -> None:
    entry = CATALOGUE[type_]
    for field in fields(entry.struct):
        without = {name: value for name, value in entry.example.items() if name != field.name}
        null = {**entry.example, field.name: None}
        if field.required:
            for data in (without, null):
                with pytest.raises(msgspec.ValidationError, match=field.name):
                    decode(entry.struct, data)
        else:
            assert decode(entry.struct, without) == decode(entry.struct, null)


@pytest.mark.parametrize("type_", CATALOGUE)
def test_a_field_nobody_knows_is_ignored(type_: str) -> None:
    entry = CATALOGUE[type_]
    assert decode(entry.struct, {**entry.example, "unheard_of": [1, {}]}) == decode(entry.struct, entry.example)


@pytest.mark.parametrize("type_", CATALOGUE)
def test_what_was_decoded_cannot_be_changed(type_: str) -> None:
    entry = CATALOGUE[type_]
    name = fields(entry.struct)[0].name
    with pytest.raises(AttributeError, match="immutable"):
        setattr(decode(entry.struct, entry.example), name, None)


def test_personal_fields_are_marked() -> None:
    marked = {
        entry.struct.__name__: found
        for entry in CATALOGUE.values()
        if (found := {field.name for field in fields(entry.struct) if has_mark(field.type, "personal")})
    }
    assert marked == PERSONAL


def has_mark(type_: object, mark: str) -> bool:
    return any((meta.extra or {}).get(mark, False) for meta in getattr(type_, "__metadata__", ()))


@pytest.mark.parametrize("amount", ["0", "0.5", "12.50", "999999999999999.999999"])
def test_an_amount_is_a_plain_decimal(amount: str) -> None:
    assert str(Money(amount, "EUR").value) == amount
    assert str(SignedMoney(f"-{amount}", "EUR").value) == f"-{amount}"


@pytest.mark.parametrize(
    ("amount", "currency"),
    [
        ("", "EUR"),
        ("-1", "EUR"),
        ("+1", "EUR"),
        ("01", "EUR"),
        (".5", "EUR"),
        ("1.", "EUR"),
        ("1e3", "EUR"),
        ("1,50", "EUR"),
        ("1 000", "EUR"),
        ("1_000", "EUR"),
        (" 1", "EUR"),
        ("1\n", "EUR"),
        ("\N{ARABIC-INDIC DIGIT ONE}", "EUR"),
        ("NaN", "EUR"),
        ("1000000000000000", "EUR"),
        ("1.0000001", "EUR"),
        ("1", "eur"),
        ("1", "EU"),
        ("1", "EURO"),
        ("1", "E1R"),
        ("1", "1EU"),
        ("1", "EU\n"),
        ("1E", "URO"),
    ],
)
def test_what_is_no_money_is_refused(amount: str, currency: str) -> None:
    assert "`$.amount" in refusal("relationship.purchase.v1", {"amount": {"amount": amount, "currency": currency}})


@pytest.mark.parametrize(
    ("type_", "changes", "reason"),
    [
        ("relationship.purchase.v1", {"amount": {"amount": 12.5, "currency": "EUR"}}, "Expected `str`, got `float`"),
        ("relationship.purchase.v1", {"amount": {"amount": "-1", "currency": "EUR"}}, "expected money like"),
        ("relationship.purchase.v1", {"order_id": ""}, "length >= 1"),
        ("relationship.purchase.v1", {"order_id": "x" * 201}, "length <= 200"),
        ("relationship.purchase.v1", {"items": [{"sku": "a", "quantity": -1}]}, "`float` >= 0"),
        ("relationship.contact.v1", {"direction": "sideways"}, "Invalid enum value"),
        ("relationship.contact.v1", {"response_hours": -0.1}, ">= 0"),
        ("relationship.contact.v1", {"sentiment": 1.01}, "<= 1"),
        ("relationship.contact.v1", {"sentiment": -1.01}, ">= -1"),
        ("relationship.complaint.v1", {"by": "me"}, "Invalid enum value"),
        ("relationship.complaint.v1", {"severity": "MAJOR"}, "Invalid enum value"),
        ("relationship.complaint-resolved.v1", {"satisfied": "yes"}, "Expected `bool"),
        ("relationship.delivery.v1", {"promised_at": "2026-03-02T16:00:00"}, "timezone"),
        ("relationship.delivery.v1", {"promised_at": 1_770_000_000}, "Expected `datetime`"),
        ("relationship.delivery.v1", {"delivered_at": "2026-03-02"}, "Invalid RFC3339"),
        ("relationship.delivery.v1", {"defective": -1}, ">= 0"),
        ("relationship.payment.v1", {"due_on": "2026-02-30"}, "Invalid RFC3339"),
        ("relationship.payment.v1", {"due_on": "2026-02-03T00:00:00Z"}, "Invalid RFC3339"),
        ("relationship.inspection.v1", {"inspected": 2, "defective": 3}, "more than inspected"),
        ("relationship.inspection.v1", {"inspected": 2.5}, "Expected `int`"),
        ("relationship.inspection.v1", {"inspected": 10**400}, "<= 1000000000000"),
        ("relationship.referral.v1", {"referred": "customer/with space"}, "matching regex"),
        ("relationship.referral.v1", {"referred": "customer/c-1\n"}, "matching regex"),
        ("relationship.qualified.v1", {"alternatives": -1}, ">= 0"),
        ("relationship.disrupted.v1", {"ends_on": "2026-05-03"}, "before starts_on"),
        ("relationship.contract-signed.v1", {"ends_on": "2025-12-31"}, "before starts_on"),
        ("relationship.contract-signed.v1", {"notice_days": -1}, ">= 0"),
        ("relationship.assessment.v1", {"value": 1.1}, "<= 1"),
        ("relationship.negotiation-opened.v1", {"issues": []}, "length >= 1"),
        ("relationship.negotiation-offer.v1", {"terms": {"price": "low"}}, "Expected `float`"),
        ("relationship.negotiation-offer.v1", {"terms": {"price": 1e300}}, "<= 1000000000000000.0"),
        ("ledger.exchange-rate.v1", {"rate": "-1"}, "matching regex"),
        ("ledger.exchange-rate.v1", {"rate": "1\n"}, "matching regex"),
    ],
)
def test_what_is_out_of_range_is_refused(type_: str, changes: dict[str, Any], reason: str) -> None:
    message = refusal(type_, changes)
    assert reason in message


@pytest.mark.parametrize("scale", SCALES)
def test_feedback_stays_on_its_scale(scale: str) -> None:
    lowest, highest = SCALES[scale]  # type: ignore[index]  # its keys, by parametrisation
    struct = CATALOGUE["relationship.feedback.v1"].struct
    for value in (lowest, highest, (lowest + highest) / 2):
        decode(struct, {"scale": scale, "value": value})
    for value in (lowest - 0.1, highest + 0.1):
        assert f"outside {scale}'s {lowest} to {highest}" in refusal("relationship.feedback.v1", {"scale": scale, "value": value})


def test_an_issue_stands_in_a_negotiation_once() -> None:
    issue = {"issue": "price", "ours": {"target": 1, "reservation": 2}}
    assert "names an issue twice" in refusal("relationship.negotiation-opened.v1", {"issues": [issue, issue]})


def test_a_span_is_not_upside_down() -> None:
    theirs = {"target": 1, "reservation": {"low": 3, "high": 2, "basis": "a guess"}}
    issue = {"issue": "price", "ours": {"target": 1, "reservation": 2}, "theirs": theirs}
    assert "low 3 is above high 2 - at `$.issues[0].theirs.reservation`" in refusal(
        "relationship.negotiation-opened.v1", {"issues": [issue]}
    )


def test_a_purchase_made_here_is_one_that_can_be_read_back() -> None:
    purchase = Purchase("O-1", Money("12.50", "EUR"), margin=SignedMoney("-1.00", "EUR"))
    assert msgspec.json.decode(msgspec.json.encode(purchase), type=Purchase) == purchase
