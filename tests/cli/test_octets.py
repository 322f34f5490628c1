"""Octets in files: raw, hexadecimal, PEM; and what comes back, for the right eyes."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import typer

from keybroker.cli.octets import check_writable, read_der, read_octets, write_outputs

PEM = "-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n"
TWO = f"subject=somebody\n{PEM}issuer=somebody else\n{PEM.replace('AQID', 'BAUG')}"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\xdf\x01", b"\xdf\x01"),
        (b"DF01\n", b"\xdf\x01"),
        (b"df 01\r\n", b"\xdf\x01"),
        (b"<a/>", b"<a/>"),
        (b"DF0", b"DF0"),
        (b"", b""),
    ],
)
def test_reads_hexadecimal_text_as_octets_and_all_else_as_it_stands(
    content: bytes, expected: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    assert read_octets(file) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (PEM.encode(), (b"\x01\x02\x03",)),
        (PEM.replace("\n", "\r\n").encode(), (b"\x01\x02\x03",)),
        (TWO.encode(), (b"\x01\x02\x03", b"\x04\x05\x06")),
        (b"\x30\x00", (b"\x30\x00",)),
        (b"3000", (b"\x30\x00",)),
    ],
)
def test_reads_der_and_every_block_of_pem(content: bytes, expected: tuple[bytes, ...], tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    assert read_der([file]) == expected
    assert read_der([file, file]) == expected * 2


@pytest.mark.parametrize("private", [False, True])
def test_several_outputs_go_to_numbered_files_and_plaintext_is_for_its_owner(private: bool, tmp_path: Path) -> None:
    one = write_outputs(tmp_path / "one", [b"1"], private=private)
    several = write_outputs(tmp_path / "several", [b"1", b"2"], private=private)
    assert [file.name for file in one + several] == ["one", "several.1", "several.2"]
    assert [file.read_bytes() for file in several] == [b"1", b"2"]
    modes = {stat.S_IMODE(file.stat().st_mode) & 0o077 for file in one + several}
    assert (modes == {0}) is private


def test_an_earlier_file_is_replaced_whole(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"longer than before")
    write_outputs(tmp_path / "one", [b"1"])
    assert (tmp_path / "one").read_bytes() == b"1"


def test_a_directory_is_no_place_for_what_comes_back(tmp_path: Path) -> None:
    check_writable(None)
    check_writable(tmp_path / "new")
    with pytest.raises(typer.BadParameter):
        check_writable(tmp_path)
