"""TBSCertificates made and read, and what was read put together again: it must be the octets that were read."""

from __future__ import annotations

from datetime import datetime

from keybroker.content.certificate import TbsCertificate
from keybroker.content.decoding import decode
from keybroker.content.model import Accompanying
from keybroker.content.x509_extensions import Extensions, KeyUsageBit
from keybroker.terms import ContentKind
from tests import certificates as made
from tests.certificates import TRUE, compose
from tests.lists import extension, utc
from tests.messages import der, der_integer

KIND, ROOT_KIND = ContentKind.CERTIFICATE, ContentKind.ROOT_CERTIFICATE
POINT = made.point()
ON_NO_CURVE = POINT[:-1] + bytes([POINT[-1] ^ 1])


def validity(*times: bytes) -> bytes:
    return compose(validity=der(0x30, *times))


def subject(*attributes: bytes) -> bytes:
    return compose(subject=made.name(*attributes))


def read(octets: bytes, kind: ContentKind = KIND, accompanying: tuple[Accompanying, ...] = ()) -> TbsCertificate:
    content = decode(kind, octets, accompanying)
    assert isinstance(content, TbsCertificate)
    return content


def recomposed(content: TbsCertificate) -> bytes:
    """The certificate that these words say, in DER."""
    names = {content.issuer.der, content.subject.der}
    assert all(recomposed_name(each) in names for each in (content.issuer.attributes, content.subject.attributes))
    check_values(content.extensions)
    stated = {
        each.oid: extension(oid(each.oid), each.value, TRUE if each.critical else b"")
        for each in content.extensions.stated
    }
    return compose(
        stated,
        serial=der(0x02, content.serial_octets),
        algorithm=content.signature_algorithm,
        issuer=content.issuer.der,
        validity=der(0x30, time(content.not_before), time(content.not_after)),
        subject=content.subject.der,
        spki=made.spki(content.public_key),
    )


def recomposed_name(attributes: tuple[object, ...]) -> bytes:
    parts = []
    for each in attributes:
        value = each.value  # type: ignore[attr-defined]  # an Attribute
        octets = value.encode() if isinstance(value, str) else value
        parts.append(made.attribute(oid(each.oid), der(each.tag, octets)))  # type: ignore[attr-defined]  # as above
    return made.name(*parts)


def check_values(stated: Extensions) -> None:
    """What the extensions were read to say is what stands in them."""
    values = {each.oid: each.value for each in stated.stated}
    if stated.subject_key_identifier is not None:
        assert values["2.5.29.14"] == der(0x04, stated.subject_key_identifier)
    if stated.authority_key_identifier is not None:
        assert values["2.5.29.35"] == der(0x30, der(0x80, stated.authority_key_identifier))
    if stated.basic_constraints is not None:
        ca, length = stated.basic_constraints.certificate_authority, stated.basic_constraints.path_length
        members = (TRUE if ca else b"", b"" if length is None else der_integer(length))
        assert values["2.5.29.19"] == der(0x30, *members)
    if stated.key_usage is not None:
        assert values["2.5.29.15"] == named_bits(stated.key_usage)
    if stated.certificate_policies:
        assert values["2.5.29.32"] == der(0x30, *(der(0x30, oid(each)) for each in stated.certificate_policies))


def named_bits(usage: frozenset[KeyUsageBit]) -> bytes:
    places = [place for place, bit in enumerate(KeyUsageBit) if bit in usage]
    length = max(places) + 1
    octets = -(-length // 8)
    number = sum(1 << 8 * octets - 1 - place for place in places)
    return der(0x03, bytes([8 * octets - length]), number.to_bytes(octets, "big"))


def oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    return der(0x06, b"".join(base_128(number) for number in (40 * first + second, *rest)))


def base_128(number: int) -> bytes:
    octets = [number & 0x7F]
    while number := number >> 7:
        octets.insert(0, 0x80 | number & 0x7F)
    return bytes(octets)


def time(at: datetime) -> bytes:
    return utc(at) if 1950 <= at.year < 2050 else der(0x18, at.strftime("%4Y%m%d%H%M%SZ").encode())
