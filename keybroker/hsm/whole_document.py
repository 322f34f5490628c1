"""Is the signed DUIS document that which was asked for? Read back, and canonicalised by another parser than signed it.

What was signed was canonicalised by libxml2; here Canonical XML 1.0 is written from expat's events, for the part of XML
that DUIS documents are (``content.duis.tags``): elements, attributes without a namespace, text.
"""

from __future__ import annotations

from hashlib import sha256
from xml.parsers import expat

from keybroker.content.assembly import assemble
from keybroker.content.duis.document import read_document
from keybroker.content.duis.xml_signature import names_issuer
from keybroker.content.service_request import ServiceRequest
from keybroker.errors import ContentMalformed, ModuleDisagrees

_SIGNATURE = "ds:Signature"
_IN_TEXT = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#xD;"}
_IN_ATTRIBUTE = {"&": "&amp;", "<": "&lt;", '"': "&quot;", "\t": "&#x9;", "\n": "&#xA;", "\r": "&#xD;"}


def check_document(content: ServiceRequest, signature: bytes, certificate: bytes | None) -> None:
    """Put together, it reads back: the same document, this signature, this certificate. Raises: ModuleDisagrees."""
    if certificate is None:
        raise _disagrees("names no certificate, for its key has none")
    try:
        whole = assemble(content, (signature,), certificate=certificate)
        found = read_document(whole, signed=True).signature
        digest = sha256(canonical(whole)).digest()
    except (ContentMalformed, ValueError, expat.ExpatError) as error:
        raise _disagrees("cannot be read back") from error
    if digest != content.document.sha256:
        raise _disagrees("has another digest when it is read back by another parser")
    if found is None or (sha256(found.signed_info).digest(), found.signature) != (content.sha256, signature):
        raise _disagrees("does not carry the signature that was made")
    if not names_issuer(found, certificate):
        raise _disagrees("does not name its key's certificate")


def canonical(octets: bytes) -> bytes:
    """Canonical XML 1.0 of the document without its signature. Raises: expat.ExpatError."""
    written: list[str] = []
    depth_in_signature = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth_in_signature
        if depth_in_signature or name == _SIGNATURE:
            depth_in_signature += 1
            return
        # Namespaces first, that without a prefix before all others; then attributes (Canonical XML 1.0 section 2.2).
        ordered = sorted(attributes.items(), key=lambda each: (each[0][:5] != "xmlns", each[0]))
        written.append(
            f"<{name}" + "".join(f' {key}="{_escaped(value, _IN_ATTRIBUTE)}"' for key, value in ordered) + ">"
        )

    def end(name: str) -> None:
        nonlocal depth_in_signature
        if depth_in_signature:
            depth_in_signature -= 1
        else:
            written.append(f"</{name}>")

    def text(data: str) -> None:
        if not depth_in_signature:
            written.append(_escaped(data, _IN_TEXT))

    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    parser.Parse(octets, True)
    return "".join(written).encode()


def _escaped(text: str, escapes: dict[str, str]) -> str:
    return "".join(escapes.get(character, character) for character in text)


def _disagrees(what: str) -> ModuleDisagrees:
    return ModuleDisagrees(f"the DUIS document that was made {what}; it is withheld", used=True)
