"""Cases: the few touchpoints whose evidence depends on one another (a complaint and its resolution, a promise and how it ended ...).

A case remembers its touchpoints and says, for any moment, what they add up to. Which of two touchpoints in the same role counts is decided
by their marks (``scoring/marks.py``), never by when they arrived, so that the order of arrival does not matter.
"""

from projections.scoring.cases.assessments import Assessments
from projections.scoring.cases.case import Item
from projections.scoring.cases.complaint import ComplaintCase
from projections.scoring.cases.negotiation import NegotiationCase
from projections.scoring.cases.promise import PromiseCase
from projections.scoring.cases.qualification import Qualification
from projections.scoring.cases.rates import Rates

Case = ComplaintCase | PromiseCase | NegotiationCase | Rates | Qualification | Assessments

__all__ = ["Assessments", "Case", "ComplaintCase", "Item", "NegotiationCase", "PromiseCase", "Qualification", "Rates"]
