"""The fabricated papers of Round 2: their specs, from which the papers and their keys are made.

This folder stays in the clone. What it holds reaches a learner only as a rendered paper: neither release/, nor
the installed package, nor the sandbox has it, and a test looks for it in all three.

A module is a *spec*: the protocol by which the paper's authors chose and reported runs of the bank, with sites
at which something can be wrong. ``form(number)`` makes one paper of it. The number decides at which sites
something is wrong, and which real runs the authors made, so another number is a parallel form of the paper.

``python -m papers render low_rank --form 1`` writes a form into the source notebook.
"""

SLUGS = ("low_rank", "linear_recall", "decoupled_decay", "large_batches", "sampled_negatives")
"""The specs."""
