"""What a watch tells: lines for a log, alarms for people, numbers for a monitor."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from airlift.artifact import Json
from airlift.hook import Hook
from airlift.store.durable import Disk
from airlift.watch.deliveries import Delivery, State
from airlift.watch.folder import Item, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened.

    Attributes:
        what: One word for programs, such as ``complete``.
        text: One line for people.
        details: More for programs.
    """

    what: str
    text: str
    details: Mapping[str, Json] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Teller:
    """Where events go.

    Attributes:
        tell: Prints an event.
        alarm: Run for what a person must see; its places are ``{what}`` and
            ``{text}``.
        metrics: File for a monitor that collects text files; None for none.
        alarms: How many there were since the start.
    """

    tell: Callable[[Event], None]
    alarm: Hook | None = None
    metrics: Path | None = None
    alarms: int = 0

    def say(self, what: str, text: str, **details: Json) -> None:
        """Tell of something that is as it should be."""
        self.tell(Event(what=what, text=text, details=details))

    def call(self, what: str, text: str, **details: Json) -> None:
        """Tell of something that a person must see, and run the alarm."""
        self.alarms += 1
        self.say(what, text, **details)
        if not self.alarm:
            return
        ended = self.alarm.run(what=what, text=text)
        if not ended.good:
            said = "; ".join(ended.output)
            self.say("alarm-failed", f"the alarm command failed: {ended}: {said}")

    def publish(
        self, deliveries: Iterable[Delivery], items: Iterable[Item], *, now: int
    ) -> None:
        """Write the numbers of this moment for the monitor.

        Raises:
            StoreError: The file cannot be written.
        """
        if not self.metrics:
            return
        known, registry = list(deliveries), CollectorRegistry()

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"airlift_watch_{name}", text, labels, registry=registry)

        states = gauge("deliveries", "Deliveries by state.", "state")
        files = gauge("files", "Files in the folder by what they are.", "verdict")
        missing = gauge("missing_volumes", "Yet to come.", "site", "sequence")
        for state in State:
            states.labels(state.value).set(sum(one.state is state for one in known))
        verdicts = [one.verdict for one in items]
        for verdict in Verdict:
            files.labels(verdict.value).set(verdicts.count(verdict))
        for one in known:
            if one.missing:
                missing.labels(one.site, str(one.sequence)).set(len(one.missing))
        newest = max((one.newest for one in known), default=0)
        gauge("newest_timestamp_seconds", "When something last came.").set(newest)
        gauge("turn_timestamp_seconds", "When the folder was looked at.").set(now)
        gauge("alarms", "Alarms since the start.").set(self.alarms)
        Disk().write_file(self.metrics, generate_latest(registry), mode=0o644)
