"""Adaptive bit rate: decide a rung from what a player knows. Pure and synchronous.

`Controller.decide` fits where players ask: dash.js `getSwitchRequest`, Shaka `chooseVariant`,
hls.js, ExoPlayer. It asks a policy, normally a network pinned from `midstream.connect`, and
falls back to a rule when the policy is late or its answer makes no sense.
"""

from midstream.abr.controller import BUDGET, Controller, Features, Policy
from midstream.abr.features import FEATURES, pensieve_features, policy_inputs
from midstream.abr.observation import Decision, Observation, Reason
from midstream.abr.rules import BufferBased, RateBased, RobustMpc, Rule, SafeRung
from midstream.abr.samples import SMALLEST_SAMPLE, Transfer, TransferFilter

__all__ = [
    "BUDGET",
    "FEATURES",
    "SMALLEST_SAMPLE",
    "BufferBased",
    "Controller",
    "Decision",
    "Features",
    "Observation",
    "Policy",
    "RateBased",
    "Reason",
    "RobustMpc",
    "Rule",
    "SafeRung",
    "Transfer",
    "TransferFilter",
    "pensieve_features",
    "policy_inputs",
]
