"""The `tenfold` command in processes of their own, forked from one that has everything imported."""

import multiprocessing
import os
import sys
from collections.abc import Mapping
from multiprocessing.context import ForkServerProcess

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["app.cli.run", "app.main", "app.worker"])


def _run(words: tuple[str, ...], environment: Mapping[str, str]) -> None:
    from app.cli import main

    for name in [name for name in os.environ if name.startswith("TENFOLD_")]:
        del os.environ[name]
    os.environ.update(environment)
    os.chdir(environment["TENFOLD_HOME"])
    sys.argv = ["tenfold", *words]
    main()


def start(*words: str, environment: Mapping[str, str]) -> ForkServerProcess:
    """Start the command; the caller ends it."""
    process = _CONTEXT.Process(target=_run, args=(words, dict(environment)))
    process.start()
    return process
