"""How often somebody may ask: a bucket of tokens for each, refilled steadily. In memory, bounded."""

from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from math import ceil
from typing import Final

from backend.core.errors import TooManyRequests

#: Buckets that are kept. Who is forgotten begins with a full one.
MAX_BUCKETS: Final = 10_000
#: Whoever has one IPv6 address has all of its network.
_NETWORK: Final = (1 << 64) - 1


class RateLimit:
    """
    A bucket of tokens for each key. Each request takes one; when there is none, it has to wait.

    One number is kept of a bucket: when it is full again. So nothing has to be refilled, and a
    request costs the same however many buckets there are.
    """

    def __init__(
        self,
        what: str,
        *,
        tokens: int,
        refill_s: float,
        monotonic_s: Callable[[], float],
        setting: str = "",
        buckets: int = MAX_BUCKETS,
    ) -> None:
        """
        Make the limit.

        Args:
            what: Names it to whoever meets it: "requests with this API key".
            tokens: How many may be taken at once; 0: as many as anybody likes.
            refill_s: After so many seconds an empty bucket is full again.
            monotonic_s: Returns seconds that never go back.
            setting: What moves the limit; empty: nothing does.
            buckets: So many are kept; what was not used for longest is forgotten.
        """
        self._what = what
        self._setting = f" ({setting})" if setting else ""
        self._tokens = tokens
        self._refill_s = refill_s
        self._step_s = refill_s / tokens if tokens else 0.0
        self._now_s = monotonic_s
        self._buckets = buckets
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def take(self, key: str) -> None:
        """
        Take a token out of the bucket of *key*.

        Raises:
            TooManyRequests: If there is none; nothing is taken then.
        """
        if not self._tokens:
            return
        now = self._now_s()
        full_at = max(self._full_at.pop(key, now), now) + self._step_s
        wait_s = full_at - now - self._refill_s
        # Sums of many small steps are never exact.
        if wait_s > self._step_s * 1e-6:
            self._full_at[key] = full_at - self._step_s
            raise self._refused(wait_s)
        self._full_at[key] = full_at
        if len(self._full_at) > self._buckets:
            self._full_at.popitem(last=False)

    def give_back(self, key: str) -> None:
        """Put a token back: what it was taken for shall not count."""
        full_at = self._full_at.get(key)
        if full_at is not None:
            self._full_at[key] = full_at - self._step_s

    def __len__(self) -> int:
        return len(self._full_at)

    def _refused(self, wait_s: float) -> TooManyRequests:
        after_s = max(1, ceil(wait_s))
        return TooManyRequests(
            f"Too many {self._what}: at most {self._tokens} in {self._refill_s:g} seconds"
            f"{self._setting}. "
            f"Try again in {after_s} s.",
            retry_after_s=after_s,
        )


def address_key(host: str) -> str:
    """Return the key of whoever calls from *host*: an IPv4 address, or the network of an IPv6 one."""
    try:
        address = ip_address(host)
    except ValueError:
        return host  # a socket in the file system, or a test
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(IPv6Address(int(address) & ~_NETWORK))
    return host
