"""Changes of several providers to one. Knows nothing of keys, repositories or coding."""

from midstream.merging.applying import apply_change
from midstream.merging.policy import Gate, Merged, MergePolicy, Offer, merge
from midstream.merging.rules import Rule, combine

__all__ = ["Gate", "MergePolicy", "Merged", "Offer", "Rule", "apply_change", "combine", "merge"]
