"""The views against a replay: each folded again beside from the whole log, compared, and left as it is."""

from collections.abc import Iterator

from ledger.ledger import Ledger
from ledger.scan import Wrong
from projections.policies import Policies
from projections.rebuild import Rebuilt, rebuild
from projections.registry import projections
from projections.views import Views
from service.clock import now_us
from service.reading import standing


def compare_views(ledger: Ledger, views: Views) -> list[Wrong]:
    """What is wrong with the views.

    Raises:
        RebuildUnderWayError: a rebuild is under way.
    """
    policies = Policies(ledger)
    kept = projections(standing(views, policies) or policies.in_force)
    progress = views.progress()
    names = [one.name for one in kept if (at := progress.get(one.name)) is not None and at.shows(one)]
    return [wrong for one in rebuild(ledger, views, kept, names=names, clock=now_us, swap=False) for wrong in _differing(one)]


def _differing(rebuilt: Rebuilt) -> Iterator[Wrong]:
    means = f"somebody wrote to the view: `rledger rebuild {rebuilt.name}` makes it anew"
    if rebuilt.comparison is None:
        yield Wrong(None, f"the view {rebuilt.name} cannot be compared: its table or columns of it are gone", means)
    elif not rebuilt.comparison.equal:
        for one in rebuilt.comparison.differences:
            how = {"changed": f"differs in {', '.join(one.columns)}", "added": "is missing", "removed": "should not be there"}[one.what]
            yield Wrong(None, f"the view {rebuilt.name}: {one.key} {how}", means)
