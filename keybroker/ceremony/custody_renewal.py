"""How does a custodian get a new receiving key, and keep what he holds? Made, sealed anew, read back; then switched.

    1 what an interrupted renewal left is cleared away
    2 the new key is made beside the old one
    3 every envelope is opened with the old key, sealed to the new one, and opened again with that
    4 ``custodian.json`` names the new key: from here on it counts, before it the old one does
    5 the old envelopes are removed and the old key is destroyed

At every instant each share can be opened with the key that ``custodian.json`` names.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from pathlib import Path

from keybroker.ceremony.custody import (
    Custodian,
    everything_held,
    held_by,
    hold,
    let_go,
    open_share,
    write_custodian,
)
from keybroker.ceremony.custody_making import Maker
from keybroker.ceremony.enveloped_data import seal
from keybroker.ceremony.person_certificate import Holder
from keybroker.ceremony.person_key import PersonKey
from keybroker.errors import ModuleDisagrees

Keys = Callable[[Custodian], PersonKey]


def renew_receiving(
    directory: Path,
    custodian: Custodian,
    *,
    holder: Holder,
    maker: Maker,
    keys: Keys,
    draw: Callable[[int], bytes],
) -> Custodian:
    """The custodian with his new receiving key.

    Raises: CmsUnfit, ShareUnfit for a share that is not intact, before anything was changed; as ``PersonKey.open``.
    """
    clear_leftovers(directory, custodian, maker)
    number = custodian.number + 1
    receiving = maker.make_receiving(holder, custodian.signing, number)
    renewed = custodian.model_copy(update={"receiving": receiving, "number": number})
    before, after = keys(custodian), keys(renewed)
    for held in held_by(directory, custodian):
        envelope = held.envelope.read_bytes()
        share, octets = open_share(envelope, before, sender=held.sender), before.open(envelope)
        sealed = seal(octets, renewed.receiving_certificate, draw)
        if not hmac.compare_digest(after.open(sealed), octets):
            raise ModuleDisagrees("the new key does not open what was sealed to it; the old one stays")
        hold(directory, renewed, sealed, share, sender=held.sender)
    write_custodian(directory, renewed)
    clear_leftovers(directory, renewed, maker)
    return renewed


def clear_leftovers(directory: Path, custodian: Custodian, maker: Maker) -> None:
    """Remove what is sealed to another key besides the present one, and destroy the key before it."""
    present = held_by(directory, custodian)
    shares = {held.share for held in present}
    for held in everything_held(directory):
        if held not in present and held.share in shares:
            let_go(held)
    former = custodian.receiving.label.removesuffix(str(custodian.number))
    if custodian.number > 1:
        maker.destroy(custodian.receiving.model_copy(update={"label": f"{former}{custodian.number - 1}"}))
