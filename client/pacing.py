"""When to send, how often, at what quality, and when to try again.

Used by `publisher` only. Nothing here asks the time or sleeps: every method takes `now`, in seconds on any rising
clock, so that a minute of network trouble is tested in a millisecond.
"""

from __future__ import annotations

import random
from collections import deque
from typing import Deque, Optional


class Pacer:
    """Admits frames at a rate, without losing those of a source that runs at just that rate but jitters.

    The generic cell rate algorithm with a tolerance of one interval: the long-run rate is exact and at most two frames
    come back to back.
    """

    def __init__(self) -> None:
        self._due = float("-inf")

    def admits(self, now: float, fps: float) -> bool:
        """Whether a frame that came at `now` (seconds) may be sent at `fps`."""
        interval = 1.0 / fps
        if now + interval * 1.001 < self._due:
            return False
        self._due = max(self._due, now) + interval
        return True


class RateControl:
    """Decides JPEG quality and frame rate from how sending goes.

    Under pressure (half the queue is waiting, or round trips have grown by SLOW over the best seen) the quality goes
    down by 10, at the floor the rate by a quarter; never more often than SETTLE, so that a step shows its effect. With
    room to spare (queue nearly empty, sender idle a third of the time) the rate comes back first, then the quality. A
    climb that is punished makes the next one wait twice as long.
    """

    SETTLE = 0.5  # seconds between steps down
    SLOW = 0.15  # seconds a round trip may grow before it counts as slow
    BUSY = 0.65  # share of the time the sender may be busy and still climb
    PATIENCE = (2.0, 30.0)  # seconds of calm before a climb: at first, at most

    def __init__(self, quality: int, max_fps: float, min_quality: int, min_fps: float) -> None:
        self.quality = self._max_quality = quality
        self.fps = self._max_fps = float(max_fps)
        self._min_quality = min_quality
        self._min_fps = min_fps
        self.round_trip = 0.0
        self._best_trip = float("inf")
        self._busy = self._gap = 0.0
        self._last: Optional[float] = None
        self._last_down = self._last_up = self._calm_since = float("-inf")
        self._patience = self.PATIENCE[0]
        self._quiet_until = float("-inf")

    def connecting(self, now: float) -> None:
        """What queued up while the server was away says nothing about its speed."""
        self._quiet_until = now + 1.0
        self._best_trip = float("inf")
        self.round_trip = self._busy = self._gap = 0.0
        self._last = None
        self._calm_since = now

    def too_large(self) -> None:
        """The server refused a frame for its size: never that quality again."""
        self._max_quality = self.quality = max(self._min_quality, self.quality - 10)

    def observe(self, now: float, *, busy: float, round_trip: float, fill: float, encodes: bool) -> None:
        """One frame went out: `busy` seconds to encode and send, `fill` of the queue (0 to 1) is waiting."""
        self.round_trip = _smooth(self.round_trip, round_trip)
        # Creeps up, so that a route that became longer for good is not called slow for ever.
        creep = 0.01 * (round_trip - self._best_trip) if round_trip > self._best_trip else 0.0
        self._best_trip = min(round_trip, self._best_trip + creep)
        self._busy = _smooth(self._busy, busy)
        if self._last is not None:
            self._gap = _smooth(self._gap, now - self._last)
        self._last = now
        if now < self._quiet_until:
            return
        if fill >= 0.5 or self.round_trip - self._best_trip > self.SLOW:
            self._calm_since = now
            self._step_down(now, encodes)
        elif fill > 0.25 or self._busy > self.BUSY * self._gap:
            self._calm_since = now
        elif now - max(self._calm_since, self._last_up) >= self._patience:
            self._step_up(now)

    def _step_down(self, now: float, encodes: bool) -> None:
        if now - self._last_down < self.SETTLE:
            return
        if now - self._last_up < self._patience:
            self._patience = min(self._patience * 2, self.PATIENCE[1])
        self._last_down = now
        if encodes and self.quality > self._min_quality:
            self.quality = max(self._min_quality, self.quality - 10)
        else:
            self.fps = max(self._min_fps, self.fps * 0.75)

    def _step_up(self, now: float) -> None:
        if self.fps < self._max_fps:
            self.fps = min(self._max_fps, self.fps * 1.25)
        elif self.quality < self._max_quality:
            self.quality = min(self._max_quality, self.quality + 5)
        else:
            self._patience = self.PATIENCE[0]
            return
        self._last_up = now


class Backoff:
    """Doubling pauses in seconds, each cut by up to a half at random so that clients do not come in waves."""

    def __init__(self, shortest: float, longest: float) -> None:
        self._shortest = shortest
        self._longest = longest
        self._step = shortest

    def next(self) -> float:
        pause = max(self._shortest, self._step * random.uniform(0.5, 1.0))
        self._step = min(self._step * 2, self._longest)
        return pause

    def reset(self) -> None:
        self._step = self._shortest


class Meter:
    """Frames per second over the last two seconds."""

    WINDOW = 2.0

    def __init__(self) -> None:
        self._times: Deque[float] = deque()

    def add(self, now: float) -> None:
        self._times.append(now)
        self._forget(now)

    def rate(self, now: float) -> float:
        self._forget(now)
        if len(self._times) < 2:
            return 0.0
        # Up to now, not up to the last frame: a stream that stopped is seen to slow down.
        return (len(self._times) - 1) / max(now - self._times[0], 1e-6)

    def _forget(self, now: float) -> None:
        while self._times and now - self._times[0] > self.WINDOW:
            self._times.popleft()


def _smooth(old: float, new: float) -> float:
    return new if old == 0.0 else old + 0.3 * (new - old)
