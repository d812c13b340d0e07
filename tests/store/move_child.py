"""A move in a process of its own that kills itself at the n-th thing it tells: `SOURCE TARGET N`.

Says how often it told something if that is less.
"""

import asyncio
import os
import signal
import sys

from penstock.store.move import Progress, move


class Fuse:
    """Ends the process without any goodbye."""

    def __init__(self, length: int) -> None:
        self.left = length
        self.told = 0

    def __call__(self, progress: Progress) -> None:
        self.told += 1
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    fuse = Fuse(int(sys.argv[3]))
    asyncio.run(move(sys.argv[1], sys.argv[2], now=lambda: 0, tell=fuse))
    sys.stdout.write(f"{fuse.told}\n")
