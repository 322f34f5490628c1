"""The page for people: everything that the transcript holds, nothing that is fetched or runs, readable on paper."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import lxml.etree
import lxml.html
import pytest

from keybroker.ceremony.digest_words import digest_words
from keybroker.ceremony.plan import CeremonyKind, Role, Side, read_plan
from keybroker.ceremony.transcript_page import TITLES, columns, is_digest, make_page
from keybroker.ceremony.transcript_sequence import WIDTH, draw
from keybroker.ceremony.transcript_verifying import TranscriptUnfit, verify_transcript
from keybroker.ceremony.witness_commands import witness_commands
from keybroker.ledger.canonical_json import Json
from keybroker.terms import DeploymentKind
from tests.ceremony.made import ROLES, a_plan, a_transcript, as_dict, person
from tests.ceremony.test_transcript import LIVE_LEDGER, SIDES, SPLIT

GOOD = a_transcript(SPLIT)
PAGE = make_page(GOOD)
EMPTY = {"meta", "link", "br", "hr", "img", "input", "wbr"}


class Balanced(HTMLParser):
    """Every element is closed, by its own end, and has no attribute twice."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in EMPTY:
            self.open.append(tag)
        if len({name for name, _ in attrs}) < len(attrs):
            self.wrong.append(f"<{tag}> with an attribute twice")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if len({name for name, _ in attrs}) < len(attrs):
            self.wrong.append(f"<{tag}/> with an attribute twice")

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> at {self.getpos()}")


def read(page: str) -> lxml.html.HtmlElement:
    return lxml.html.document_fromstring(page)


def text(page: str) -> str:
    """As it is copied out of the page, without white space."""
    body = read(page).find("body")
    assert body is not None
    return re.sub(r"\s", "", body.text_content())


def test_refuses_a_transcript_that_does_not_verify() -> None:
    with pytest.raises(TranscriptUnfit):
        make_page(GOOD.replace(b'"done"', b'"open"'))


@pytest.mark.parametrize(("kind", "side"), [each for each in SIDES if each != (CeremonyKind.TRANSFER, Side.HERE)])
@pytest.mark.parametrize("steps", [None, 2, 0])
def test_shows_everything_that_a_witness_compares(kind: CeremonyKind, side: Side, steps: int | None) -> None:
    octets = a_transcript(a_plan(kind), side=side, steps=steps)
    page, whole, verified = make_page(octets), as_dict(octets), verify_transcript(octets)
    shown = text(page)
    assert TITLES[kind] in page
    digests = [verified.plan_sha256, *(entry.sha256 for entry in verified.entries)]
    wanted = [*digests, *(each.signing_sha256 for each in verified.plan.people)]
    wanted += [step[which]["leaf_hash"] for step in whole["steps"] for which in ("begun", "concluded")]
    wanted += [each.sha256.hex() for each in verified.approvals]
    wanted += ["".join(digest_words(bytes.fromhex(each))) for each in digests]
    assert [each for each in wanted if each not in shown] == []
    assert [each.name for each in verified.plan.people if each.name not in shown] == []


@pytest.mark.parametrize(("kind", "side"), [each for each in SIDES if each != (CeremonyKind.TRANSFER, Side.HERE)])
def test_every_element_is_closed(kind: CeremonyKind, side: Side) -> None:
    parser = Balanced()
    parser.feed(make_page(a_transcript(a_plan(kind), side=side)))
    parser.close()
    assert (parser.wrong, parser.open) == ([], [])


def test_prints_the_plan_and_the_commands_letter_by_letter() -> None:
    page = read(PAGE)
    assert page.xpath("string(//pre)") == SPLIT.decode()
    assert tuple(each.text_content() for each in page.xpath("//ol/li")) == witness_commands(GOOD)


def test_needs_nothing_from_elsewhere_and_runs_nothing() -> None:
    page = read(PAGE)
    assert page.xpath("//script | //link | //img | //iframe | //object | //form | //a | //base") == []
    assert page.xpath("//@src | //@href | //@*[starts-with(name(), 'on')]") == []
    style = page.xpath("string(//style)")
    assert "url(" not in style
    assert "@import" not in style
    assert PAGE.count("://") == PAGE.count('xmlns="http://www.w3.org/2000/svg"') == 1
    assert page.xpath("//meta[@http-equiv]/@content") == ["default-src 'none'; style-src 'unsafe-inline'"]


def test_what_people_wrote_is_text_and_nothing_else() -> None:
    hostile = "</pre><script>alert(1)</script> & \"quoted\" 'so' {{ 7 * 7 }}"
    page = make_page(a_transcript(a_plan(CeremonyKind.RENEW, reason=hostile, outputs=[hostile])))
    assert "<script" not in page
    assert read(page).xpath("//tr[th='reason']/td/text()")[0] == hostile
    assert "{{ 7 * 7 }}" in page


def test_prints_on_a4_in_black_on_white_with_each_step_whole() -> None:
    style = read(PAGE).xpath("string(//style)")
    assert "size: A4" in style
    assert "@media print" in style
    assert re.search(r"\.step, .*break-inside: avoid", style)
    colours = set(re.findall(r"#[0-9a-f]{3,6}\b", style))
    assert colours <= {"#fff", "#000", "#999", "#666"}
    assert "prefers-color-scheme" not in style


def test_a_test_is_marked_in_its_title_at_its_head_and_on_every_sheet() -> None:
    page = read(PAGE)
    assert page.xpath("string(//title)").startswith("TEST: ")
    assert page.xpath("string(//header//b)") == "TEST"
    assert '@top-right { content: "TEST"' in page.xpath("string(//style)")


def test_a_live_ceremony_is_not_marked() -> None:
    plan = a_plan(CeremonyKind.GENERATE, modules=[{"side": "here", "serial": "1", "ledger": LIVE_LEDGER}])
    page = make_page(a_transcript(plan, given=[], deployment=DeploymentKind.LIVE))
    assert "TEST" not in re.sub(r"keybroker ceremony verify TRANSCRIPT[^<]*", "", page)


def test_says_how_far_a_ceremony_is_that_is_under_way_or_was_aborted() -> None:
    assert "under way: 3 of 8 steps" in make_page(a_transcript(SPLIT, steps=3))
    assert "aborted after 3 of 8 steps" in make_page(a_transcript(SPLIT, steps=3, state="aborted"))
    assert "done: all 8 steps" in PAGE
    assert "No step was concluded." in make_page(a_transcript(SPLIT, steps=0))


def svg(page: str) -> Any:
    found = re.search(r"<svg.*</svg>", page, re.DOTALL)
    assert found is not None
    return lxml.etree.fromstring(found[0])


def test_draws_a_row_for_each_step_and_a_disc_for_each_signature() -> None:
    name = "{http://www.w3.org/2000/svg}"
    drawn, whole = svg(PAGE), as_dict(GOOD)
    assert len(drawn.findall(f"{name}circle")) == sum(len(step["signatures"]) for step in whole["steps"])
    labels = [each.text for each in drawn.findall(f"{name}text")]
    assert [str(step["concluded"]["leaf_index"]) for step in whole["steps"]] == [
        x for x in labels if x in range_of(whole)
    ]
    under_way = svg(make_page(a_transcript(SPLIT, steps=3)))
    hollow = [each for each in under_way.findall(f"{name}circle") if each.get("fill") == "#fff"]
    assert len(hollow) == sum(len(step["signatures"]) for step in whole["steps"][3:])


def range_of(whole: dict[str, Any]) -> set[str]:
    return {str(step["concluded"]["leaf_index"]) for step in whole["steps"]}


def many_people() -> bytes:
    names = {Role.CUSTODIAN: [f"custodian-{number}" for number in range(14)]}
    people = [(name, role) for role, given in ROLES.items() for name in names.get(role, list(given))]
    return a_plan(
        CeremonyKind.TRANSFER,
        people=[
            {"name": name, "role": role.value, "signing_sha256": person(name).attests.kid} for name, role in people
        ],
    )


def test_draws_lanes_of_roles_where_the_people_are_many() -> None:
    plan = read_plan(many_people()).plan
    drawing = draw(plan, Side.SOURCE, (), ())
    assert len(drawing.lanes) == len(Role)
    assert "key-custodian" in {lane.name for lane in drawing.lanes}
    make_page(a_transcript(many_people(), side=Side.SOURCE))


@pytest.mark.parametrize("plan", [SPLIT, a_plan(CeremonyKind.RENEW), many_people()])
def test_everything_drawn_stands_within_the_drawing(plan: bytes) -> None:
    read_back = read_plan(plan).plan
    drawing = draw(read_back, read_back.modules[0].side, (), ())
    places = [lane.x for lane in drawing.lanes]
    assert places == sorted(set(places))
    assert max(places) < drawing.module < drawing.ledger < WIDTH
    assert drawing.head < drawing.rows[0].y <= drawing.rows[-1].y < drawing.height


@pytest.mark.parametrize(
    ("value", "heads"),
    [
        ([], ()),
        ("ab", ()),
        ([1, 2], ()),
        ([{}], ()),
        ([{"a": 1}, {"b": 1}], ()),
        ([{"a": [1]}], ()),
        ([{"a": 1}, 2], ()),
        ([{"a": 1, "b": None}, {"a": 2, "b": True}], ("a", "b")),
    ],
)
def test_a_list_is_a_table_where_its_members_are_alike(value: Json, heads: tuple[str, ...]) -> None:
    assert columns(value) == heads


@pytest.mark.parametrize(("value", "shown"), [("ab" * 32, True), ("AB" * 32, False), ("ab" * 8, False), (7, False)])
def test_long_hexadecimal_digits_are_shown_in_groups(value: Json, shown: bool) -> None:
    assert is_digest(value) is shown


def test_every_shape_of_a_fact_is_shown() -> None:
    facts: dict[str, Json] = {
        "none": None,
        "yes": True,
        "number": 7,
        "deep": {"er": {"still": ["a", ["b", {"c": "d"}]]}},
        "nothing": [],
        "rows": [{"name": "x", "size": 2}, {"name": "y", "size": 3}],
        "mixed": [{"name": "z"}, "w"],
    }

    def change(entry: Any) -> Any:
        return type(entry)(**{name: getattr(entry, name) for name in entry.__slots__} | {"facts": facts})

    shown = text(make_page(a_transcript(SPLIT, change=change, steps=2)))
    assert "deeperstillabcdmixednamezwnonenonenothingnonenumber7rowsnamesizex2y3yesyes" in shown
