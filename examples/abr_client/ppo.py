"""Proximal policy optimisation with a critic that sees the future. Knows nothing of files.

Schulman et al., 2017. How much a session earns depends mostly on the network it meets; a critic
that is told the coming throughput takes that away from the advantages. Only the policy is kept.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fleet import Fleet, Floats, Ints
from network import Adam, Floats32, Network

__all__ = ["Ppo", "Rollout", "decay", "softmax"]

_REWARD_FLOOR = -100.0
"""A segment costs no more; at -20 a policy learns to sit out an outage in one endless stall."""
_DISCOUNT = 0.99
_LAMBDA = 0.95
_RETURN_SCALE = 5.0
_ADVANTAGE_CLIP = 4.0
_RATIO_CLIP = 0.2
_EPOCHS = 3
_BATCH = 4096
_CRITIC_ONLY = 5
_AVERAGE_DECAY = 0.9


@dataclass(slots=True, kw_only=True)
class Rollout:
    """What a fleet met, (decisions, ...); time first, then sessions."""

    inputs: Floats32
    """What the policy was shown, (segments, sessions, 25)."""
    seen: Floats32
    """What the critic was shown besides, (segments, sessions, 6)."""
    rungs: Ints
    """What was chosen, (segments, sessions)."""
    chances: Floats32
    """Log-probability of it then, (segments, sessions)."""
    rewards: Floats
    """QoE_lin, (segments, sessions)."""


def softmax(scores: Floats32) -> Floats32:
    """Probabilities, (batch, rungs)."""
    powers: Floats32 = np.exp(scores - scores.max(axis=1, keepdims=True))
    powers /= powers.sum(axis=1, keepdims=True)
    return powers


def decay(start: float, end: float, progress: float) -> float:
    """From a start to an end, exponentially.

    Args:
        start: At progress 0.
        end: At progress 1.
        progress: 0 to 1.
    """
    return float(start * (end / start) ** progress)


class Ppo:
    """A policy in training: the network, its critic and the running average of its weights."""

    def __init__(
        self,
        policy: Network,
        new_fleet: Callable[[], Fleet],
        *,
        rng: np.random.Generator,
        rates: tuple[float, float] = (5e-4, 5e-5),
        entropies: tuple[float, float] = (0.02, 0.001),
    ) -> None:
        """Take a network into training.

        Args:
            policy: The network; it is changed.
            new_fleet: Makes sessions for one iteration.
            rng: Random numbers.
            rates: Learning rate at the start and at the end.
            entropies: Weight of the entropy at the start and at the end.
        """
        self.policy = policy
        self.average = policy.parameters.copy()
        self.decisions = 0
        self._new_fleet = new_fleet
        self._rng = rng
        self._rates = rates
        self._entropies = entropies
        self._critic: Network | None = None
        self._iteration = 0

    def iterate(self, progress: float) -> float:
        """Play one fleet, learn from it, and return its mean QoE_lin.

        Args:
            progress: 0 to 1, for learning rates.
        """
        rollout = self._play(self._new_fleet())
        states, advantages, returns = self._judge(rollout)
        if self._iteration >= _CRITIC_ONLY:
            self._improve(rollout, advantages, progress)
        self._fit_critic(states, returns, decay(1e-3, 1e-4, progress))
        self.average += np.float32(1.0 - _AVERAGE_DECAY) * (self.policy.parameters - self.average)
        self._iteration += 1
        self.decisions += rollout.rewards.size
        return float(rollout.rewards.mean())

    def _play(self, fleet: Fleet) -> Rollout:
        inputs, seen, rungs, chances, rewards = [], [], [], [], []
        while not fleet.is_over:
            inputs.append(fleet.inputs())
            seen.append(fleet.foresight())
            odds = softmax(self.policy.run(inputs[-1]))
            drawn = self._rng.random((len(odds), 1), np.float32) > np.cumsum(odds, axis=1)
            rungs.append(np.minimum(drawn.sum(axis=1), odds.shape[1] - 1))
            chances.append(np.log(odds[np.arange(len(odds)), rungs[-1]] + 1e-12))
            rewards.append(fleet.step(rungs[-1]))
        return Rollout(
            inputs=np.array(inputs),
            seen=np.array(seen),
            rungs=np.array(rungs),
            chances=np.array(chances),
            rewards=np.array(rewards),
        )

    def _judge(self, rollout: Rollout) -> tuple[Floats32, Floats32, Floats32]:
        """Critic's states, advantages and returns, all flat; GAE (Schulman et al., 2016)."""
        states = np.concatenate((rollout.inputs, rollout.seen), axis=2)
        flat = states.reshape(-1, states.shape[2])
        if self._critic is None:
            self._critic = Network((flat.shape[1], 96, 96, 1), activation="tanh")
            self._critic.initialise(self._rng, output_scale=0.1)
            self._critic_adam = Adam(self._critic.parameters)
            self._adam = Adam(self.policy.parameters)
        values = self._critic.run(flat)[:, 0].reshape(rollout.rewards.shape) * _RETURN_SCALE
        rewards = np.maximum(rollout.rewards, _REWARD_FLOOR)
        advantages = np.zeros_like(rewards)
        ahead = np.zeros(rewards.shape[1])
        for index in reversed(range(len(rewards))):
            after = values[index + 1] if index + 1 < len(rewards) else 0.0
            surprise = rewards[index] + _DISCOUNT * after - values[index]
            ahead = surprise + _DISCOUNT * _LAMBDA * ahead
            advantages[index] = ahead
        returns = ((advantages + values) / _RETURN_SCALE).ravel().astype(np.float32)
        scaled = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        clipped = np.clip(scaled, -_ADVANTAGE_CLIP, _ADVANTAGE_CLIP)
        return flat, clipped.ravel().astype(np.float32), returns

    def _improve(self, rollout: Rollout, advantages: Floats32, progress: float) -> None:
        inputs = rollout.inputs.reshape(-1, rollout.inputs.shape[2])
        rungs, chances = rollout.rungs.ravel(), rollout.chances.ravel()
        rate = decay(*self._rates, progress)
        entropy = decay(*self._entropies, progress)
        for _ in range(_EPOCHS):
            order = self._rng.permutation(len(inputs))
            for start in range(0, len(order), _BATCH):
                part = order[start : start + _BATCH]
                values = self.policy.forward(inputs[part])
                slope = _policy_slope(
                    values[-1], rungs[part], chances[part], advantages[part], entropy
                )
                self._adam.step(self.policy.gradient(values, slope), rate)

    def _fit_critic(self, states: Floats32, returns: Floats32, rate: float) -> None:
        assert self._critic is not None, "made when the first fleet was judged"
        for _ in range(_EPOCHS):
            order = self._rng.permutation(len(states))
            for start in range(0, len(order), _BATCH):
                part = order[start : start + _BATCH]
                values = self._critic.forward(states[part])
                error = values[-1][:, 0] - returns[part]
                slope = np.clip(error, -1.0, 1.0)[:, None] / np.float32(len(part))  # Huber's loss
                self._critic_adam.step(self._critic.gradient(values, slope), rate)


def _policy_slope(
    scores: Floats32, rungs: Ints, chances: Floats32, advantages: Floats32, entropy: float
) -> Floats32:
    """Gradient of the clipped surrogate loss, less the entropy, by the scores."""
    odds = softmax(scores)
    logs = np.log(odds + np.float32(1e-12))
    rows = np.arange(len(rungs))
    ratio = np.exp(logs[rows, rungs] - chances)
    is_clipped = np.where(advantages > 0.0, ratio > 1.0 + _RATIO_CLIP, ratio < 1.0 - _RATIO_CLIP)
    pull = np.where(is_clipped, np.float32(0.0), ratio * advantages)
    slope = odds * pull[:, None]
    slope[rows, rungs] -= pull
    mean_log = (odds * logs).sum(axis=1, keepdims=True)
    slope += np.float32(entropy) * odds * (logs - mean_log)
    slope /= np.float32(len(rungs))
    return slope
