"""Users in the event log: known again, but not by name."""

import hmac

from pydantic import SecretStr


class UserHash:
    """Turns a user's id into a keyed hash (HMAC-SHA256, its first 128 bits in hex), the same for every replica.

    Whoever has the log but not the key can neither tell who a user is nor test a guess.
    """

    def __init__(self, key: SecretStr) -> None:
        self._key = key.get_secret_value().encode()

    def __call__(self, user_id: str) -> str:
        return hmac.digest(self._key, user_id.encode("utf-8", "surrogatepass"), "sha256").hex()[:32]
