"""Seeded chance that does not depend on who asks first.

One shared random stream would give a Machine another boot time whenever two requests swap places on the wire.
Here each question has its own stream, named by what it is about, so a seed repeats a run's latencies and ids
even though its processes race each other.
"""

import math
import random

# z-score of the 95th percentile of a normal distribution.
Z95 = 1.6449
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Draws:
    """Named random streams of one seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def of(self, *about: object) -> random.Random:
        """A fresh stream for this question; the same question always gives the same stream."""
        name = "/".join(str(part) for part in (self._seed, *about))
        return random.Random(name)  # noqa: S311 - chance in a simulation, not a secret

    def spread(self, p50: float, p95: float, *about: object) -> float:
        """Draw from the log-normal distribution with this median and 95th percentile (same unit as given)."""
        return self.of(*about).lognormvariate(math.log(p50), math.log(p95 / p50) / Z95)

    def ulid(self, now: float, *about: object) -> str:
        """A 26-character ULID: ten characters of time, sixteen of chance."""
        chance = self.of(*about).getrandbits(80)
        number = (int(now * 1000) << 80) | chance
        return "".join(CROCKFORD[(number >> shift) & 31] for shift in range(125, -1, -5))
