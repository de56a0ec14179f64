"""Adopt a policy: recorded in the ledger by whoever does it, whole, under a version that means one policy only."""

from ledger.ledger import Ledger
from projections.policies import Adoption, Policies, adoption_id
from projections.scoring.policy import Policy
from projections.scoring.policy_file import PolicyError, read, shipped, written
from schemas.catalogue import PolicyAdopted
from schemas.errors import LedgerError
from schemas.touchpoint import LEDGER_SUBJECT
from service import own

TEXT_MAX = 200_000  # bytes of a policy; an event has 256 KiB


class NotAdoptedError(LedgerError):
    """The version is another policy's, or somebody else adopted one at the same time. Do what the message says, and adopt again."""

    code = "not_adopted"


def adopt(ledger: Ledger, text: str, *, where: str, why: str, by: str, at_us: int) -> tuple[Adoption, bool]:
    """Put the policy in ``text`` in force. Numbers it lacks are written into what is recorded, so that no later program fills them in.

    Returns: the adoption, and whether it is new; it is not where this policy is in force already by an adoption.

    Raises:
        PolicyError: the policy is wrong; ``where`` names it in the message.
        NotAdoptedError: the version is taken by other numbers, or another adoption came first.
    """
    found = read(text, where=where)
    policy, policies = found.policy, Policies(ledger)
    newest = policies.newest
    if newest is not None and newest.data.version == policy.version and newest.read.policy.digest == policy.digest:
        return newest, False
    _refuse_a_taken_version(policy, policies, where)
    whole = written(policy, text) if found.missing else text
    if len(whole.encode()) > TEXT_MAX:
        raise PolicyError(where, (f"it has {len(whole.encode()):,} bytes, more than {TEXT_MAX:,}",))
    data = PolicyAdopted(policy.version, whole, why)
    try:
        own.record(ledger, LEDGER_SUBJECT, data, by=by, at_us=at_us, id_=adoption_id(len(policies.adopted) + 1))
    except own.OwnEventRefusedError as error:
        raise NotAdoptedError("somebody else adopted a policy just now: see `rledger policy history`, then adopt again") from error
    policies.refresh()
    return policies.adopted[-1], True


def _refuse_a_taken_version(policy: Policy, policies: Policies, where: str) -> None:
    taken = f"policy {where}: version {policy.version!r} is taken by other numbers,"
    for one in policies.adopted:
        if one.data.version == policy.version and _digest(one) != policy.digest:
            raise NotAdoptedError(f"{taken} adopted at position {one.event.position:,}: give it another")
    if policy.version == shipped().version and policy.digest != shipped().digest:
        raise NotAdoptedError(f"{taken} those of the shipped policy: give it another")


def _digest(adoption: Adoption) -> str | None:
    """None where this program cannot follow it."""
    try:
        return adoption.read.policy.digest
    except PolicyError:
        return None
