"""Where the files lie that are no Python: templates, static files, migrations."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
"""The directory that holds `templates/`, `static/`, `locales/` and `migrations/`."""
