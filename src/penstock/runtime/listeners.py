"""The event filters that somebody listens with, in memory, by the literal event type where there is one."""

from collections.abc import Iterable, Mapping

from penstock.kernel.topics import TASK_TOPIC, EventTopic
from penstock.model.json_value import Json
from penstock.model.workflow import WorkflowIdentity
from penstock.runtime.programs import BrokenDefinition, Programs


class Listeners:
    """May hold topics that nobody listens to any more; never lacks one, because turns add theirs before they commit.

    The answers of tools are listened for always.
    """

    def __init__(self, programs: Programs) -> None:
        self._programs = programs
        self._by_type: dict[str | None, dict[str, EventTopic]] = {}
        self._topics: dict[str, EventTopic] = {}
        self._added: set[str] = set()
        self.add(TASK_TOPIC)

    def __len__(self) -> int:
        return len(self._topics)

    def topic(self, name: str) -> EventTopic | None:
        return self._topics.get(name)

    def add(self, topic: EventTopic) -> None:
        self._added.add(topic.topic)
        if topic.topic not in self._topics:
            self._topics[topic.topic] = topic
            self._by_type.setdefault(topic.type, {})[topic.topic] = topic

    def candidates(self, event: Mapping[str, Json]) -> list[EventTopic]:
        """Topics that the event may match, by type; then by every attribute that is the same for all runs."""
        named = self._by_type.get(str(event.get("type")), {})
        open_ones = self._by_type.get(None, {})
        return [topic for topic in (*named.values(), *open_ones.values()) if topic.admits(event)]

    def begin_refresh(self, kept: Iterable[str]) -> None:
        """What is added from here on survives the next `refresh`, and so does what is `kept`: filters of turns that
        are being committed, of which the store may not tell yet."""
        self._added = set(kept)

    async def refresh(self, names: Iterable[str]) -> None:
        """Replaces the topics by those that the store names, and those added since `begin_refresh`."""
        wanted = dict.fromkeys((TASK_TOPIC.topic, *names))
        for name in [name for name in wanted if name not in self._topics]:
            if (topic := await self.find(name)) is not None:
                self.add(topic)
        for name in [name for name in self._topics if name not in wanted and name not in self._added]:
            topic = self._topics.pop(name)
            del self._by_type[topic.type][name]

    async def find(self, name: str) -> EventTopic | None:
        """The topic from the program of its workflow; None when that cannot be had any more.

        Raises `InfrastructureError` when the store fails: without its topic, a listener would miss events.
        """
        if (topic := self._topics.get(name)) is not None:
            return topic
        identity = identity_of(name)
        try:
            program = None if identity is None else await self._programs.get(identity)
        except BrokenDefinition:
            return None
        return None if program is None else program.topics.get(name)


def identity_of(topic: str) -> WorkflowIdentity | None:
    """The workflow of `namespace/name:version#pointer/filter`."""
    head, mark, _ = topic.partition("#")
    namespace, slash, rest = head.partition("/")
    name, colon, version = rest.partition(":")
    return WorkflowIdentity(namespace, name, version) if mark and slash and colon else None
