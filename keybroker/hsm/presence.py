"""Does the token show what it keeps, so that not finding something there proves anything?

Some tokens show nothing, and say CKR_OK, while what they keep their objects in is away, and for as long after as
nobody initialises them anew (seen with SoftHSM). So something is put there to be found, and taken away again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from keybroker.hsm.attributes import AES_OCTETS, CKK_AES, KeyAttribute
from keybroker.hsm.connection import Connection, ObjectAttribute, Template
from keybroker.hsm.return_values import CallFailed, return_value
from keybroker.hsm.trusted_keys import CKO_SECRET_KEY

_CKR_TOKEN_NOT_PRESENT = 0xE0
_O, _K = ObjectAttribute, KeyAttribute


def check_shows(connection: Connection, name: str) -> None:
    """Raises: CallFailed, as for a token that is not there, which is what the module then recovers from."""
    with witness(connection, name) as handle:
        if handle not in connection.wrapping().find({_O.LABEL: witness_label(name).encode()}):
            raise not_shown()


@contextmanager
def witness(connection: Connection, name: str) -> Iterator[int]:
    """The handle of a key of the token that can do nothing; those that a crash left go with it. Raises: CallFailed."""
    wrapping, label = connection.wrapping(), witness_label(name).encode()
    handle = wrapping.generate_aes(_template(label))
    try:
        yield handle
    finally:
        with suppress(CallFailed):
            for each in wrapping.find({_O.LABEL: label}):
                wrapping.destroy(each)


def witness_label(name: str) -> str:
    """No key's label has a dot."""
    return f"{name}.search-witness"


def not_shown() -> CallFailed:
    return CallFailed(return_value(_CKR_TOKEN_NOT_PRESENT), call="C_FindObjects")


def _template(label: bytes) -> Template:
    uses = (_K.ENCRYPT, _K.DECRYPT, _K.WRAP, _K.UNWRAP, _K.SIGN, _K.DERIVE, _K.EXTRACTABLE)
    nothing: Template = dict.fromkeys(uses, False)
    return {
        **nothing,
        _O.CLASS: CKO_SECRET_KEY,
        _K.KEY_TYPE: CKK_AES,
        _K.VALUE_LEN: AES_OCTETS,
        _K.TOKEN: True,
        _K.PRIVATE: True,
        _K.SENSITIVE: True,
        _O.LABEL: label,
    }
