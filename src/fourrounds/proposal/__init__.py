"""An open problem, argued: its failure, the papers on it, what a solution needs, and a plan of three months.

    >>> from fourrounds.proposal import Proposal, bibliography, plain
    >>> bibliography.table(problem="over_optimisation")

An answer imports this in its sandbox: it holds no key. What scores a proposal against a key
(:mod:`~fourrounds.proposal.score`) is imported by who needs it.
"""

from fourrounds.proposal import bibliography
from fourrounds.proposal.parts import (
    Approach,
    Assumption,
    Failure,
    Kill,
    Objection,
    Plan,
    Proposal,
    ProposalError,
    Stage,
    plain,
)

__all__ = [
    "Approach",
    "Assumption",
    "Failure",
    "Kill",
    "Objection",
    "Plan",
    "Proposal",
    "ProposalError",
    "Stage",
    "bibliography",
    "plain",
]
