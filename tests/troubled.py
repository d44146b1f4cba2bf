"""A site on which every question finds something, with names as long as real ones."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import catalogues
import hostile_pickles
import policies
from advised import V5_3, V9_8, carried, listed, osv, scored
from airlift.artifact import Json
from airlift.audit import questions, report
from airlift.audit.answer import Options
from airlift.audit.pack.made import Made
from airlift.audit.site import Site
from airlift.digest import sha256
from airlift.format import observation
from airlift.format import rule as rules
from airlift.format.catalogue import Feed
from airlift.format.catalogue_entries import Item, KnownFile, Package, Seen, Standing
from airlift.format.observation import (
    Environment,
    Observation,
    Place,
    Runtime,
    SeenFile,
    SeenModel,
    SeenPackage,
)
from airlift.format.rule import Model, Rule
from airlift.format.rule import Runtime as Needs
from airlift.registry import observations, waivers
from airlift.registry.held import Event
from airlift.registry.waivers import Terms
from airlift.trust import approval, site_key
from airlift.trust.denials import Denial, What
from airlift.trust.site_key import SiteKey
from audited import World, model, wheels
from authority import SITE, key

ORG: Final = "an-organisation-with-a-long-name"
CHAT: Final = f"{ORG}/a-model-with-an-even-longer-name-70B-instruct-v0.3"
CODE: Final = f"{ORG}/remote-code-vision-language-model-34B-preview"
PICKLED: Final = f"{ORG}/old-weights-from-before-safetensors-1.5B"
POISONED: Final = f"{ORG}/weights-that-were-denied-later-7B"
MARKUP: Final = f"{ORG}/licence-with-markup"
DEMO: Final = "a-package-with-a-long-name"
BAD: Final = b"poisoned"
LOOKED: Final = "2026-07-20T06:00:00Z"
"""When it is looked at, where that is not now: months after ``authority.NOW``."""
_TEMPLATE: Final = "{{ ''.__class__.__mro__[1].__subclasses__() }}"
_RULE: Final = Rule(
    id="SITE-1",
    title="it runs the model's code whatever it is told about trusting it",
    severity="high",
    advisory="CVE-2026-22807",
    aliases=("GHSA-2pc9-4j83-qjmr",),
    advice="move to 0.14.0, or keep models with code of their own away from it",
    model=Model(has=("auto_map",)),
    runtime=Needs(package="vllm", affected=">=0.10.1,<0.14.0"),
    fixed_in="0.14.0",
    modified="2026-03-01",
)


class Troubled:
    """A site where something of everything is wrong.

    Args:
        folder: Where everything of it goes.
        now: The time at which it is looked at: ``LOOKED`` or later.
        served: Whether a file that is served has gone from the store as well, so that
            the whole is BROKEN.

    Attributes:
        world: The site and its signing side.
        key: The site's own.
        waived: Id of the finding that was accepted.
    """

    def __init__(
        self, folder: Path, now: str = LOOKED, *, served: bool = False
    ) -> None:
        self.now = now
        self.world = World(folder / "world")
        self.home = self.world.home
        self.key: SiteKey = site_key.create(self.home, SITE)
        self.public = folder / "site-key.json"
        self.public.write_bytes(site_key.encode_public(self.key.public))
        self._log("site-key", {"key_id": str(self.key.public.key_id)})
        self._deliveries()
        self.world.hear(self._catalogue())
        self._refusal()
        self._hosts()
        self.waived = self._waiver()
        if served:
            self.world.store.remove({sha256(b'{"hidden_size": 4096}')})

    def day(self, days: int) -> str:
        """Return the moment so many days before it is looked at."""
        at = datetime.strptime(self.now, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        return f"{at - timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"

    def made(self, site: Site) -> Made:
        """Ask every question of *site*."""
        return Made(report=report.run(site, questions.QUESTIONS, Options()))

    # --- what came ----------------------------------------------------------------

    def _deliveries(self) -> None:
        side, old = self.world.side, self.day(140)
        name, pickle = hostile_pickles.HOSTILE["os.system in a torch zip"]
        self.world.bring(
            model(CHAT, self._chat("{{ messages[0].content }}"), revision="a" * 40),
            model(PICKLED, {name: pickle}, licence=""),
            model(POISONED, {"model.safetensors": BAD}, base_models=("far/away-base",)),
            model(MARKUP, licence="<script>alert(1)</script> and a long tail of words"),
            now=old,
        )
        side.deliver(now=old)  # a delivery that never comes
        self.world.bring(
            model(
                CHAT,
                self._chat(_TEMPLATE),
                revision="b" * 40,
                counter=2,
                licence="other",
            ),
            model(
                CODE,
                {
                    "config.json": json.dumps(
                        {"auto_map": {"AutoModel": "modeling_x.X"}}
                    ).encode(),
                    "modeling_x.py": b"class X: pass\n",
                },
            ),
            wheels(
                f"{DEMO.replace('-', '_')}-1.0-py3-none-any.whl",
                "vllm-0.11.0-py3-none-any.whl",
                "nobody_watches_this-3.1-py3-none-any.whl",
            ),
            now=self.day(100),
        )
        entry = Denial(
            what=What.FILE,
            digest=sha256(BAD),
            since=self.day(20),
            why="the weights were poisoned by whoever took the account over",
        )
        side.publisher.deny([entry], side.signers, self.day(20))
        # Younger than all that is live, of whose licences it allows none.
        told = policies.document(policies.made(licences=("apache-2.0",), threshold=1))
        side.publisher.set_policy(told, side.signers, self.day(20))
        self.world.bring(now=self.day(20))

    @staticmethod
    def _chat(template: str) -> dict[str, bytes]:
        told = json.dumps({"chat_template": template}).encode()
        return {
            "config.json": b'{"hidden_size": 4096}',
            "tokenizer_config.json": told,
        }

    def _log(self, action: str, detail: dict[str, Json], **changes: Any) -> None:
        with self.world.registry() as registry:
            registry.log(
                Event(
                    time=self.day(141),
                    actor="ann@import-1",
                    action=action,
                    detail=detail,
                    **changes,
                )
            )

    def _refusal(self) -> None:
        detail: dict[str, Json] = {
            "problem": "no key that counts for dispatch has signed it",
            "reason": "trust",
            "sequence": 5,
        }
        self._log("import", detail, outcome="refused")

    # --- what is known of upstream ------------------------------------------------

    def _catalogue(self) -> Any:
        as_of = self.day(12)
        own: Any = {
            "kev": {"as_of": as_of, "added": self.day(30)[:10]},
            "epss": {"as_of": as_of, "score": "0.94321", "percentile": "0.99"},
        }
        worst = osv(
            "GHSA-aaaa-bbbb-cccc",
            DEMO,
            aliases=["CVE-2026-10001"],
            severity=scored(V9_8),
            summary="Deserialisation of what a stranger sends, reached before any login",
        )
        milder = osv("PYSEC-2026-7", DEMO, fixed="1.2", severity=scored(V5_3))
        hostile = osv("MAL-2026-1", "vllm", fixed="")
        return catalogues.of(
            *sorted(self._items(as_of), key=lambda one: one.order),
            packages=self._packages(as_of),
            feed=Feed(as_of=as_of, problem="", records=17_000),
            advisories=tuple(
                sorted(
                    (
                        *listed(carried(worst, own), carried(milder), carried(hostile)),
                        rules.as_advisory(_RULE),
                    ),
                    key=lambda one: one.id,
                )
            ),
            issued=self.day(11),
            next_expected=self.day(4),
            valid_until=self.day(-60),
        )

    @staticmethod
    def _items(as_of: str) -> tuple[Item, ...]:
        weights = KnownFile(
            path="model-00001-of-00030.safetensors",
            size=141_117_925_376,
            sha256=catalogues.digest("newer"),
        )
        newer = catalogues.item(
            CHAT,
            as_of=as_of,
            revision="c" * 40,
            licence="apache-2.0",
            files=(weights,),
            earlier=(Seen(revision="b" * 40, as_of=as_of),),
        )
        gone: dict[str, Any] = {"as_of": as_of, "revision": "", "files": ()}
        return (
            newer,
            catalogues.item(
                CODE,
                standing=Standing.DISABLED,
                reason="taken down by the hub's staff after reports of abuse",
                **gone,
            ),
            catalogues.item(
                MARKUP, as_of=as_of, revision="a" * 40, moved_to=f"{ORG}/a-new-name"
            ),
            catalogues.item(PICKLED, standing=Standing.GATED, **gone),
        )

    @staticmethod
    def _packages(as_of: str) -> tuple[Package, ...]:
        demo = catalogues.package(DEMO, "1.5", "1.2", "1.0", as_of=as_of, advised=as_of)
        pulled = replace(
            demo,
            versions=(
                *demo.versions[:2],
                catalogues.version(DEMO, "1.0", yanked="breaks on every Tuesday"),
            ),
        )
        vllm = catalogues.package(
            "vllm",
            *("0.14.0", "0.11.0"),
            as_of=as_of,
            advised=as_of,
            status="quarantined",
        )
        return pulled, vllm

    # --- what runs, and what people said ------------------------------------------

    def _hosts(self) -> None:
        seen = Observation(
            host="gpu-node-with-a-long-name-17",
            time=self.day(3),
            tool="airlift test",
            looked=("hub", "inference-environment"),
            models=(
                SeenModel(
                    place=Place.HUB,
                    name="stranger/model-that-nobody-approved",
                    revision="d" * 40,
                    files=(
                        SeenFile(
                            path="config.json", size=2, sha256=sha256(b"not ours")
                        ),
                    ),
                ),
            ),
            environments=(
                Environment(
                    label="inference-environment",
                    python="3.12.7",
                    packages=(
                        SeenPackage(
                            name="vllm", version="0.11.0", content=None, files=0
                        ),
                    ),
                ),
            ),
            runtimes=(Runtime(name="llama.cpp", version="b4000"),),
            unread=("one folder could not be read: permission denied",),
        )
        with self.world.registry() as registry:
            data = observation.encode(seen)
            observations.take(
                self.home, registry, data, now=self.day(2), actor="ann@import-1"
            )

    def _waiver(self) -> str:
        """Accept one finding, for days that are nearly over; return its id."""
        with self.world.site(self.now) as site:
            answer = report.run(site, [questions.find("licences")], Options())
            one = next(one for one in answer.findings if one.subject.name == PICKLED)
        terms = Terms(
            site=SITE,
            finding=one.id,
            reason="<script>alert(1)</script> was asked, and the answer is on its way",
            until=self.day(-7)[:10],
        )
        at = self.day(1)
        signed = approval.sign(key("bob"), waivers.subject(terms), at=at)
        with self.world.registry() as registry:
            registry.log(
                waivers.event(
                    terms, signed, by="bob", title=one.title, actor="bob@desk", now=at
                )
            )
        return one.id
