"""How much of a mutating budget is left, replayed from the committed intents.

Intents are rows, so the budget survives a crash and is the same for every dispatcher on one store.
"""

from runners.model.snapshot import Snapshot

MINUTE = 60.0


def creates_left(snapshot: Snapshot, app: str) -> float:
    """Tokens in this app's create bucket now; may be negative (Fly documents 1/s, burst 3, per app)."""
    limits = snapshot.limits
    times = limits.creates.get(app, ())
    return _replay(times, limits.creates_per_second, float(limits.create_burst), snapshot.now)


def create_again_at(snapshot: Snapshot, tokens: float) -> float:
    """When a bucket that has ``tokens`` (under 1) holds a whole token again."""
    return snapshot.now + max(0.0, 1.0 - tokens) / snapshot.limits.creates_per_second


def volume_deletes_left(snapshot: Snapshot, app: str) -> float:
    """Tokens left for deletes of volumes in this app: Fly documents limits per Machine and per app only.

    What was swept is remembered in memory alone; after a restart the bucket is full, as is Fly's by then.
    """
    limits, prefix = snapshot.limits, f"volume/{app}/"
    times = tuple(sorted(at for name, at in snapshot.swept.items() if name.startswith(prefix)))
    return _replay(times, limits.creates_per_second, float(limits.create_burst), snapshot.now)


def writes_left(snapshot: Snapshot, owner: str) -> int:
    """GitHub writes left in this minute for one installation (secondary limit: 900 points, 5 a write)."""
    recent = [at for at in snapshot.limits.writes.get(owner, ()) if snapshot.now - at < MINUTE]
    return snapshot.limits.writes_per_minute - len(recent)


def write_again_at(snapshot: Snapshot, owner: str) -> float:
    """When the oldest write of the last minute leaves the window."""
    recent = [at for at in snapshot.limits.writes.get(owner, ()) if snapshot.now - at < MINUTE]
    return min(recent, default=snapshot.now) + MINUTE


def _replay(times: tuple[float, ...], rate: float, burst: float, now: float) -> float:
    """A token bucket's content after spending one token at each time."""
    tokens, last = burst, times[0] if times else now
    for at in times:
        tokens = min(burst, tokens + (at - last) * rate) - 1.0
        last = at
    return min(burst, tokens + max(0.0, now - last) * rate)
