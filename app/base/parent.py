"""A process that another one started ends with it."""

import asyncio
import multiprocessing
from collections.abc import Callable


def when_parent_dies(end: Callable[[], object]) -> None:
    """Call `end` in the running loop once the process that started this one by `spawn` is gone.

    However the parent ended, the kernel closes its end of a pipe. Does nothing in a process that
    was not started in this way.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    loop = asyncio.get_running_loop()
    pipe = parent.sentinel

    def ended() -> None:
        loop.remove_reader(pipe)
        end()

    loop.add_reader(pipe, ended)
