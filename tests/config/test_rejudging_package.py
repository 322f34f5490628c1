"""The uses in an evidence package are judged again from what is in it alone."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from pathlib import Path

import pytest

from keybroker.config.rejudging_package import rejudge_package
from keybroker.errors import ConfigurationInvalid
from keybroker.ledger.export_files import packed
from keybroker.ledger.rejudging import DECODER
from tests.ledger import exported


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("rejudged")
    exported.fill(directory)
    exported.package(directory, directory / "package")
    return directory / "package"


def test_lists_the_uses_of_keys_of_which_no_record_tells(package: Path) -> None:
    found = rejudge_package(package)
    assert found.refused
    assert {(each.rule, each.found) for each in found.refused} == {(DECODER, "none")}
    # A use that failed used no key.
    assert "failed" not in {each.state for each in found.refused}
    assert found.policies_missing == {}


def _member(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, "manifest.json" if kind == tarfile.SYMTYPE else "", size
    return info


@pytest.mark.parametrize(
    "member",
    [
        _member("../beside"),
        _member("in_force/../../beside"),
        _member("/beside"),
        _member("link", tarfile.SYMTYPE),
        _member("link", tarfile.LNKTYPE),
        _member("pipe", tarfile.FIFOTYPE),
        _member("directory", tarfile.DIRTYPE),
        _member("vast", size=2**40),
    ],
    ids=lambda member: f"{member.name} {member.type!r}",
)
def test_unpacks_nothing_but_plain_files_within(package: Path, tmp_path: Path, member: tarfile.TarInfo) -> None:
    archive = packed(Path(shutil.copytree(package, tmp_path / "package")), tmp_path / "package.tar")
    with tarfile.open(archive, "a:") as tar:
        tar.addfile(member)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ConfigurationInvalid, match="expected an evidence package"):
        rejudge_package(archive)
    assert sorted(tmp_path.rglob("*")) == before
    # Archives are unpacked in a directory of this one.
    assert [each for each in (Path(tempfile.gettempdir(), "beside"), Path("/beside")) if each.exists()] == []


def test_a_tar_file_says_what_its_directory_does(package: Path, tmp_path: Path) -> None:
    archive = packed(Path(shutil.copytree(package, tmp_path / "package")), tmp_path / "package.tar")
    assert rejudge_package(archive) == rejudge_package(package)


@pytest.mark.parametrize("name", ["manifest.json", "leaves.txt", "records.ndjson", "octets.ndjson"])
def test_refuses_a_package_without(package: Path, tmp_path: Path, name: str) -> None:
    for file in package.iterdir():
        if file.name != name and file.is_file():
            (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(ConfigurationInvalid, match="expected an evidence package"):
        rejudge_package(tmp_path)
