"""What tree do the octets make? One parse, hardened; every element known by namespace, and by the offset of its tag.

The same tree is checked, canonicalised and signed. Namespaces are declared on the root alone (and on the signature), so
that no part of a document means something else elsewhere; attributes are those of the schema, so that none is an id.
Sources: DUIS schema 5.4 (handbook 4.1).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lxml import etree

from keybroker.content.duis.model import RESPONSE_AND_ALERT, SCHEMA_INSTANCE, SERVICE_USER_GATEWAY, XML_SIGNATURE
from keybroker.content.duis.tags import read_tags
from keybroker.errors import ContentAlreadySigned, ContentMalformed

_SOURCE = "DUIS schema 5.4, handbook 4.1"
_SR, _DS = f"{{{SERVICE_USER_GATEWAY}}}", f"{{{XML_SIGNATURE}}}"
_NAMESPACES: dict[str | None, str] = {
    None: SERVICE_USER_GATEWAY,
    "sr": SERVICE_USER_GATEWAY,
    "ra": RESPONSE_AND_ALERT,
    "ds": XML_SIGNATURE,
    "xsi": SCHEMA_INSTANCE,
}
"""What a prefix may stand for. Elements of ``sr`` alone are used; the others may be declared, as templates do."""
_ATTRIBUTES = frozenset({"index", "identifier", "auxiliaryControllerN"})
"""Those of the schema below the root; none is an id, and none has a namespace."""
_split_lines = re.compile("[ \\t\\n\\r]+").split


@dataclass(frozen=True, slots=True)
class Tree:
    """``root`` has no signature any more; ``signature`` is that which stood last in it. ``root_end`` is the offset of
    the root's end tag: a signature goes before it.
    """

    root: etree._Element
    signature: etree._Element | None
    offsets: dict[etree._Element, int]
    root_end: int

    def canonical(self) -> bytes:
        """Canonical XML 1.0 (inclusive), without the signature: what the Reference digest is over."""
        return etree.tostring(self.root, method="c14n", exclusive=False, with_comments=False)

    def children(self, element: etree._Element) -> list[tuple[str, etree._Element]]:
        """Local names and elements."""
        return [(local_name(each), each) for each in element]

    def sequence(self, element: etree._Element, *names: str) -> dict[str, etree._Element]:
        """The children, which are some of ``names`` in their order, each at most once; ``name!`` must be there.

        Raises: ContentMalformed.
        """
        found = dict(self.children(element))
        order = [name.rstrip("!") for name in names]
        missing = [name[:-1] for name in names if name.endswith("!") and name[:-1] not in found]
        if missing or [name for name, _ in self.children(element)] != [name for name in order if name in found]:
            raise self.malformed(
                element,
                f"in {local_name(element)} {', '.join(order)}, in this order",
                ", ".join(name for name, _ in self.children(element)[:8]) or "nothing",
            )
        return found

    def text(self, element: etree._Element) -> str:
        """The text of an element that has no children. Raises: ContentMalformed."""
        if len(element) or not element.text:
            raise self.malformed(element, f"text in {local_name(element)}", "elements" if len(element) else "nothing")
        return element.text

    def base64_text(self, element: etree._Element) -> str:
        """Base64 whose lines may be broken, by the white space of XML alone. Raises: ContentMalformed."""
        return "".join(_split_lines(self.text(element)))

    def malformed(self, element: etree._Element, expected: str, found: str) -> ContentMalformed:
        return ContentMalformed(offset=self.offsets[element], expected=expected, found=found, source=_SOURCE)


def local_name(element: etree._Element) -> str:
    return str(etree.QName(element).localname)


def read_tree(octets: bytes, *, signed: bool) -> Tree:
    """``signed`` says whether a signature must stand last in the root, or none anywhere. Raises: ContentMalformed."""
    # 1. The octets, before any parser sees them; then the parser.
    tags = read_tags(octets)
    root = _parse(octets)
    elements = list(root.iter())
    offsets = dict(zip(elements, tags.starts, strict=True))
    whole = Tree(root, None, offsets, tags.root_end)
    # 2. Namespaces.
    _check_namespaces(whole, root)
    signature = _find_signature(whole, signed=signed)
    inside = frozenset(signature.iter()) if signature is not None else frozenset()
    for element in elements:
        if element not in inside:
            _check_element(whole, element, declares=offsets[element] in tags.declaring)
    # 3. A carriage return may break the base64 lines of a signature, and stand nowhere else.
    if tags.carriage_return is not None and (signature is None or tags.carriage_return < offsets[signature]):
        raise ContentMalformed(
            offset=tags.carriage_return,
            expected="no character reference to a carriage return",
            found="one: it is read differently after the document was written anew",
            source=_SOURCE,
        )
    if signature is not None:
        root.remove(signature)
    return Tree(root, signature, offsets, tags.root_end)


def _parse(octets: bytes) -> etree._Element:
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        recover=False,
        remove_blank_text=False,
        collect_ids=False,
    )
    try:
        return etree.fromstring(octets, parser)
    except etree.XMLSyntaxError as error:
        raise ContentMalformed(
            offset=_offset_of(octets, error.lineno, error.offset),
            expected="XML 1.0 with namespaces, well formed",
            found=(error.msg or "something else").partition(", line ")[0],
            source=_SOURCE,
        ) from error


def _offset_of(octets: bytes, line: int | None, column: int | None) -> int:
    before = octets.split(b"\n")[: max((line or 1) - 1, 0)]
    return min(sum(len(each) + 1 for each in before) + max((column or 1) - 1, 0), len(octets))


def _check_namespaces(tree: Tree, root: etree._Element) -> None:
    for prefix, uri in root.nsmap.items():
        if _NAMESPACES.get(prefix) != uri:
            raise tree.malformed(
                root, f"the namespaces of DUIS under {_told(_NAMESPACES)}", f"{prefix or 'no prefix'} for {uri[:100]}"
            )


def _find_signature(tree: Tree, *, signed: bool) -> etree._Element | None:
    """The signature, last in the root. Any element of its namespace elsewhere is no signature of this document."""
    found = [element for element in tree.offsets if str(element.tag).startswith(_DS)]
    if not signed and found:
        raise ContentAlreadySigned(
            offset=tree.offsets[found[0]],
            expected="a document that is not signed yet",
            found=f"ds:{local_name(found[0])}",
            source=_SOURCE,
        )
    if not signed:
        return None
    signatures = [element for element in found if element.tag == f"{_DS}Signature"]
    last = tree.root[-1] if len(tree.root) else None
    if len(signatures) != 1 or signatures[0] is not last or set(found) != set(last.iter()):
        raise tree.malformed(tree.root, "exactly one ds:Signature, last in the root", f"{len(signatures)} in all")
    return last


def _check_element(tree: Tree, element: etree._Element, *, declares: bool) -> None:
    is_root = element is tree.root
    if not str(element.tag).startswith(_SR):
        namespace = etree.QName(element).namespace or "no namespace"
        raise tree.malformed(element, "an element of the DUIS namespace", f"{local_name(element)} in {namespace[:100]}")
    if not is_root and element.nsmap != tree.root.nsmap:
        raise tree.malformed(element, "namespaces that are declared on the root alone", "others declared here")
    names = [str(name) for name in element.attrib]
    foreign = [name for name in names if name not in (("schemaVersion",) if is_root else _ATTRIBUTES)]
    if foreign:
        expected = "schemaVersion" if is_root else _told(_ATTRIBUTES)
        raise tree.malformed(element, f"no attribute but {expected}", foreign[0][:100])
    if declares:
        # Canonical forms leave it out: what is signed would not be what was written.
        raise tree.malformed(element, "namespaces that are declared on the root alone", "one declared once more")


def _told(names: Sequence[str | None] | frozenset[str] | dict[str | None, str]) -> str:
    return ", ".join(sorted(name or "no prefix" for name in names))
