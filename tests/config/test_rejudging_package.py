"""The uses in an evidence package are judged again from what is in it alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from keybroker.config.rejudging_package import rejudge_package
from keybroker.errors import ConfigurationInvalid
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


@pytest.mark.parametrize("name", ["manifest.json", "leaves.txt", "records.ndjson", "octets.ndjson"])
def test_refuses_a_package_without(package: Path, tmp_path: Path, name: str) -> None:
    for file in package.iterdir():
        if file.name != name and file.is_file():
            (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(ConfigurationInvalid, match="expected an evidence package"):
        rejudge_package(tmp_path)
