"""How often one may come: so many times a minute for each name, counted in a moving window."""

from __future__ import annotations

import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter


class Rate:
    """Counts who comes; `a_minute` times are let pass, and with 0 all of them."""

    def __init__(self, a_minute: int) -> None:
        self.a_minute = a_minute
        self._limit = RateLimitItemPerMinute(max(a_minute, 1))
        self._window = MovingWindowRateLimiter(MemoryStorage())

    def wait(self, name: str) -> float:
        """0 for who may pass, which counts; else the seconds after which it may be tried again."""
        if not self.a_minute or self._window.hit(self._limit, name):
            return 0.0
        return max(1.0, self._window.get_window_stats(self._limit, name).reset_time - time.time())
