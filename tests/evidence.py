"""A site of everything an evidence pack is about, and what checks the pack."""

from pathlib import Path

import catalogues
from airlift.audit import questions, report
from airlift.audit.answer import Options
from airlift.audit.pack.made import Made, Told
from airlift.audit.site import Site
from airlift.registry.held import Event
from airlift.trust import site_key
from airlift.trust.site_key import SiteKey
from audited import NOW, TODAY, World, model, wheels

HOSTILE = "<script>alert(1)</script>"
"""A licence that would act on a reader who is shown it unescaped."""


class Audited:
    """A site whose log its key signs, holding a model and wheels.

    Args:
        folder: Where everything of it goes.
    """

    def __init__(self, folder: Path) -> None:
        self.world = World(folder / "world")
        self.home = self.world.home
        self.key: SiteKey = site_key.create(self.home, "plant7")
        with self.world.registry() as registry:
            detail = {"key_id": str(self.key.public.key_id)}
            registry.log(Event(time=NOW, actor="ann", action="site-key", detail=detail))
        self.world.bring(
            model("org/hostile", licence=HOSTILE, base_models=("org/base",)),
            model(files={"config.json": b"{}", "pytorch_model.bin": b"\x80\x04."}),
            wheels("demo-1.0-py3-none-any.whl"),
        )
        self.public = folder / "site-key.json"
        self.public.write_bytes(site_key.encode_public(self.key.public))

    def hear(self, *entries: object, **changes: object) -> None:
        """Take in a catalogue of *entries*."""
        stated = {
            "issued": "2026-03-02T06:00:00Z",
            "next_expected": "2026-03-09T06:00:00Z",
            "valid_until": "2026-05-01T06:00:00Z",
            **changes,
        }
        self.world.hear(catalogues.of(*entries, **stated))  # type: ignore[arg-type]

    def made(self, site: Site, *, earlier: tuple[Told, ...] = ()) -> Made:
        """Ask every question of *site*."""
        found = report.run(site, questions.QUESTIONS, Options())
        return Made(report=found, earlier=earlier)


__all__ = ["HOSTILE", "TODAY", "Audited"]
