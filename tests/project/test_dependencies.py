"""The advisories in CONTRIBUTING.md, against what is locked and what else may be installed."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.support.constants import PROJECT

ROW = re.compile(r"^\| ([\w-]+)(?: \(by [\w-]+\))? \| CVE-[^|]+ \| ([\d.]+) \|$", re.MULTILINE)
FIXED = {name: Version(fixed) for name, fixed in ROW.findall((PROJECT / "CONTRIBUTING.md").read_text())}
LOCKED = {
    each["name"]: Version(each["version"])
    for each in tomllib.loads((PROJECT / "uv.lock").read_text())["package"]
    if "version" in each
}
DIRECT = {
    each.name: each.specifier
    for each in map(
        Requirement, tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["dependencies"]
    )
}


def test_the_table_is_read():
    assert len(FIXED) >= 8


@pytest.mark.parametrize("name", FIXED)
def test_what_is_locked_has_the_fix_of_each_advisory(name):
    assert LOCKED[name] >= FIXED[name]


@pytest.mark.parametrize("name", sorted(FIXED.keys() & DIRECT.keys()))
def test_the_floor_of_a_direct_dependency_is_not_below_the_fix(name):
    floors = [Version(each.version) for each in DIRECT[name] if each.operator == ">="]
    assert floors
    assert max(floors) >= FIXED[name]
