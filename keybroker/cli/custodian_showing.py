"""How does a custodian see what others must compare? Digests as hexadecimal and as words, on a screen of 80 by 24."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from cryptography import x509

from keybroker.ceremony.custody import Custodian, Held
from keybroker.ceremony.digest_words import digest_words, rows
from keybroker.ceremony.share import Share
from keybroker.cli.output import console, show_facts

_COLUMNS = 6
_GROUP = 8


def show_custodian(custodian: Custodian, held: tuple[Held, ...]) -> None:
    """Name, keys, what is held, and both digests: 20 lines."""
    signing, receiving = (
        x509.load_der_x509_certificate(each) for each in (custodian.certificate, custodian.receiving_certificate)
    )
    show_facts(
        {
            "custodian": custodian.name,
            "keys": where(custodian),
            "valid until": f"signing {signing.not_valid_after_utc:%Y-%m-%d}, "
            f"receiving {receiving.not_valid_after_utc:%Y-%m-%d}",
            "held": [each.share for each in held],
        }
    )
    show_digest("signing certificate, SHA-256:", custodian.certificate)
    show_digest("receiving certificate, SHA-256:", custodian.receiving_certificate)


def show_digest(title: str, der: bytes) -> None:
    """A line of hexadecimal and six of words: read aloud, heard and compared."""
    out, digest = console(), sha256(der).digest()
    out.print(title, style="bold")
    text = digest.hex()
    out.print("  " + " ".join(text[place : place + _GROUP] for place in range(0, len(text), _GROUP)))
    for row in rows(digest, _COLUMNS):
        out.print(f"  {row}")


def where(custodian: Custodian) -> str:
    return "files, TEST" if custodian.place is None else f"token {custodian.place.label} ({custodian.place.serial})"


def facts_of(custodian: Custodian) -> Mapping[str, object]:
    """For JSON: what the operator enrols, and the digests."""
    return {
        "custodian": custodian.name,
        "keys": where(custodian),
        "certificate": custodian.signing.certificate,
        "certificate_sha256": sha256(custodian.certificate).hexdigest(),
        "certificate_words": list(digest_words(sha256(custodian.certificate).digest())),
        "receiving_certificate": custodian.receiving.certificate,
        "receiving_sha256": sha256(custodian.receiving_certificate).hexdigest(),
        "receiving_words": list(digest_words(sha256(custodian.receiving_certificate).digest())),
    }


def facts_of_share(share: Share, sender: bytes | None) -> Mapping[str, object]:
    """Whose, of what, how many there are: never a word of it."""
    return {
        "custodian": share.custodian,
        "key": share.share_set.key,
        "purpose": share.share_set.purpose,
        "ceremony": share.share_set.ceremony,
        "set_sha256": share.set_sha256.hex(),
        "generation": share.share_set.generation,
        "share": share.index,
        "of": share.share_set.count,
        "needed": share.share_set.threshold,
        "signed_by": "nobody" if sender is None else sha256(sender).hexdigest(),
        "intact": True,
    }
