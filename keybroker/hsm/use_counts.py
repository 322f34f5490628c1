"""How often was each key used, by the module's own count? Where the profile says that it counts at all."""

from __future__ import annotations

from collections.abc import Mapping

from keybroker.hsm.connection import ObjectKind
from keybroker.hsm.token_module import Token

_KEYS = (ObjectKind.PRIVATE_KEY, ObjectKind.SECRET_KEY)


def read_use_counts(token: Token, attribute: int | None) -> Mapping[str, int] | None:
    """By label, of the keys that stand in the token; None where it counts none. ``attribute`` is the profile's, and
    holds a CK_ULONG. Raises: ModuleFault.
    """
    if attribute is None:
        return None
    with token.exclusively() as connection:
        read = connection.wrapping().read
        keys = [each for each in connection.list_objects() if each.kind in _KEYS]
        return {each.label: int.from_bytes(read(each.handle, attribute), "little") for each in keys}
