"""Where the data files are: templates, static files, translations, migrations."""

from pathlib import Path

_APP = Path(__file__).resolve().parent.parent
_INSTALLED = _APP / "_data"
"""Where the wheel has those directories (`force-include` in pyproject.toml)."""

ROOT = _INSTALLED if _INSTALLED.is_dir() else _APP.parent
"""The directory that holds `templates/`, `static/`, `locales/` and `migrations/`."""
