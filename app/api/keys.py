"""API keys, sent as bearer tokens."""

import hmac
from collections.abc import Iterable
from hashlib import sha256

from pydantic import SecretStr


class Keys:
    """The keys that open the service. With none of them everybody is let in."""

    def __init__(self, keys: Iterable[SecretStr]) -> None:
        self._digests = [sha256(key.get_secret_value().encode()).digest() for key in keys]

    def __bool__(self) -> bool:
        return bool(self._digests)

    def holder(self, authorization: bytes) -> str | None:
        """A name for the key in an Authorization header, None if it is no key of ours.

        Takes the same time for every wrong key: digests of equal length, all of them compared.
        """
        scheme, _, token = authorization.partition(b" ")
        given = sha256(token.strip()).digest()
        holder = None
        for digest in self._digests:
            if hmac.compare_digest(given, digest):
                # Not its place in the list: replicas that share counts may have other lists.
                holder = f"key {digest.hex()[:16]}"
        return holder if scheme.lower() == b"bearer" else None
