"""The `tenfold` command. What a command needs is imported inside it, so that `--help` is quick."""

import sys
from typing import NoReturn

from app.base.errors import AppError
from app.cli.console import cli

__all__ = ["main"]


def main() -> NoReturn:
    """Run the command; an AppError is one sentence on stderr and exit 2, never a traceback."""
    # Each import adds its commands.
    from app.cli import (  # noqa: F401
        access,
        connect,
        diagnostics,
        distribute,
        import_orders,
        manage,
        people,
        recovery,
        run,
        shop_settings,
        sync,
        trial,
    )

    try:
        cli()
    except AppError as error:
        print(error.detail, file=sys.stderr)
        raise SystemExit(2) from None
    raise SystemExit(0)
