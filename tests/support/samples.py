"""What vendors send, read from `tests/samples`."""

import json
from typing import Any

from tests.support.constants import PROJECT

SAMPLES = PROJECT / "tests" / "samples"


def sample(vendor: str, name: str) -> Any:
    """The JSON file `tests/samples/<vendor>/<name>.json`."""
    return json.loads((SAMPLES / vendor / f"{name}.json").read_text(encoding="utf-8"))
