"""What a transaction that is on disk means for other nodes."""

from collections.abc import Collection, Iterable, Iterator

from penstock.store.notices import EventsCame, InboxFilled, Notice
from penstock.store.partitions import partition_of
from penstock.store.postgres.steps import Step
from penstock.store.rows import EventRow, InboxRow


def notices_of(steps: Iterable[Step], held: Collection[int]) -> Iterator[Notice]:
    """What to tell, when this node holds these partitions: messages for their runs are known here."""
    elsewhere: list[int] = []
    came = False
    for written in (written for step in steps for written in step.announced()):
        if isinstance(written, InboxRow):
            if partition_of(written.run_id) not in held:
                elsewhere.append(written.seq)
        elif isinstance(written, EventRow):
            came = True
        else:
            yield written
    if elsewhere:
        yield InboxFilled(tuple(elsewhere))
    if came:
        yield EventsCame()
