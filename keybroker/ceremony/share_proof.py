"""How does a custodian prove that his share is intact, without showing it? He signs its check value, as the set has it.

SEC G2.44B, G5.13(b). The check value is found only from the share's own octets (``share_set.share_check``), which were
opened and held against the set when the proof was made; that this was so is the custodian's signed word. Pure.
"""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass
from datetime import UTC, datetime

from keybroker.ceremony.cms_form import unfit
from keybroker.ceremony.share import Share
from keybroker.ceremony.share_set import ShareSet
from keybroker.ceremony.signed_data import verify
from keybroker.ledger.canonical_json import encode

_FIELDS = {"at", "check", "custodian", "index", "set_sha256"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareProof:
    """Who proved which share, and when he says that he opened it."""

    custodian: str
    index: int
    at: datetime


def proof_octets(share: Share, at: datetime) -> bytes:
    """What is signed: canonical JSON; nothing in it is secret."""
    return encode(
        {
            "at": f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "check": share.share_set.shares[share.index - 1].check,
            "custodian": share.custodian,
            "index": share.index,
            "set_sha256": share.set_sha256.hex(),
        }
    )


def check_proof(der: bytes, *, share_set: ShareSet, certificate: bytes) -> ShareProof:
    """The proof of whoever holds this signing certificate, about this set. Raises: CmsUnfit."""
    said = verify(der, certificates=certificate).octets
    try:
        read = json.loads(said)
        exact = isinstance(read, dict) and set(read) == _FIELDS and encode(read) == said
        at = datetime.strptime(read["at"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC) if exact else None
    except (ValueError, TypeError, RecursionError) as error:
        raise unfit("a custodian's proof in canonical JSON", "something else") from error
    if at is None:
        raise unfit("a custodian's proof in canonical JSON", "something else")
    if read["set_sha256"] != share_set.sha256.hex():
        raise unfit(f"a proof for {share_set.told()}", "one for another set")
    for holder in share_set.shares:
        if (holder.index, holder.custodian) == (read["index"], read["custodian"]):
            if not hmac.compare_digest(str(read["check"]).encode(), holder.check.encode()):
                raise unfit(f"the check value of share {holder.index}", "another")
            return ShareProof(custodian=holder.custodian, index=holder.index, at=at)
    raise unfit("a custodian and his own share of this set", "another")
