"""The Hugging Face hub: a repository at one commit, and the bytes of its files.

API calls go through huggingface_hub, made to use this package's door; files are
read by commit with plain ranges, because they are hashed against what the API said
of that commit anyway.
"""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from typing import Self
from urllib.parse import quote

import httpx2
import huggingface_hub
from huggingface_hub import DatasetInfo, HfApi, ModelInfo, RepoFile, constants
from huggingface_hub.errors import (
    DisabledRepoError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from airlift import naming
from airlift.artifact import Json, Kind, PinnedFile
from airlift.digest import Sha256, is_sha256
from airlift.errors import (
    RequestError,
    SourceError,
    SourceGatedError,
    SourceGoneError,
)
from airlift.fetch.door import Door
from airlift.fetch.refusals import RefusedError, place
from airlift.fetch.settings import Settings

_OID = re.compile(r"[0-9a-f]{40}", re.ASCII)
_SCANNED = 500
"""Files up to which the hub is asked for its scan results as well: they come in
pages of 50 instead of 1,000, and the hub limits requests."""
_SESSION = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A repository at one commit.

    Attributes:
        repository: What the hub itself calls it now; differs from what was asked
            where it was renamed.
        commit: 40 hexadecimal digits.
        files: All of them, sorted by path; paths are not checked yet.
        refs: Branches and tags that point at this commit, and the asked revision.
        facts: What the hub says of the whole, for ``Pinned.upstream``.
        licence: The licence tag; empty if none.
        base_models: ``base_model`` entries of the model card.
        precisions: What the hub knows of the weights' number format: names such as
            ``bf16`` or ``awq``; empty where it does not say.
    """

    repository: str
    commit: str
    files: tuple[PinnedFile, ...]
    refs: tuple[str, ...]
    facts: dict[str, Json]
    licence: str
    base_models: tuple[str, ...]
    precisions: frozenset[str]


class Hub:
    """One hub endpoint; safe from several threads.

    Args:
        settings: ``endpoints["huggingface"]`` and ``token`` decide where and as
            whom; else what the library's own environment says.
    """

    def __init__(self, settings: Settings) -> None:
        endpoint = settings.endpoints.get("huggingface", constants.ENDPOINT)
        self.endpoint = endpoint.rstrip("/")
        self._token = settings.token
        self._door = Door(settings, homes=(self.endpoint,))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._door.close()

    def snapshot(self, kind: Kind, name: str, revision: str) -> Snapshot:
        """Return what *revision* of the repository *name* holds.

        Args:
            kind: ``DATASET`` for a dataset; anything else is a model repository.
            name: ``owner/name`` or ``name``.
            revision: Branch, tag, pull request ref or commit.

        Raises:
            RequestError: The name is not a repository's, or has no such revision.
            SourceError: It is missing, private, gated or the hub is not reachable.
        """
        word = "dataset" if kind is Kind.DATASET else "model"
        api = HfApi(endpoint=self.endpoint, token=self._credential() or False)
        with self._asking(word, name, revision):
            info = api.repo_info(name, repo_type=word, revision=revision)
            assert isinstance(info, ModelInfo | DatasetInfo)
            commit = self._commit(info, name)
            if info.gated:
                api.auth_check(name, repo_type=word)
            found = api.list_repo_tree(
                name,
                recursive=True,
                expand=len(info.siblings or ()) <= _SCANNED,
                revision=commit,
                repo_type=word,
            )
            entries = [entry for entry in found if isinstance(entry, RepoFile)]
            refs = api.list_repo_refs(name, repo_type=word)
        base = f"{self.endpoint}/{'datasets/' if kind is Kind.DATASET else ''}{info.id}"
        files = [_file(entry, f"{base}/resolve/{commit}") for entry in entries]
        branches, tags = (
            {ref.name for ref in listed if ref.target_commit == commit}
            for listed in (refs.branches, refs.tags)
        )
        same = branches | tags
        if not commit.startswith(revision):
            same.add(revision)
        return Snapshot(
            repository=info.id,
            commit=commit,
            files=tuple(sorted(files, key=lambda file: file.path)),
            refs=tuple(sorted(same)),
            facts={
                "endpoint": self.endpoint,
                "repository": info.id,
                "requested": revision,
                **_facts(info, tags - branches),
            },
            licence=_licence(info),
            base_models=_base_models(info),
            precisions=_precisions(info),
        )

    def tags(self, kind: Kind, name: str) -> tuple[str, ...]:
        """Return the names of the tags of a repository, sorted.

        Raises:
            RequestError: The name is not a repository's.
            SourceError: It is missing, private, or the hub is not reachable.
        """
        word = "dataset" if kind is Kind.DATASET else "model"
        api = HfApi(endpoint=self.endpoint, token=self._credential() or False)
        with self._asking(word, name, ""):
            refs = api.list_repo_refs(name, repo_type=word)
        return tuple(sorted(ref.name for ref in refs.tags))

    @contextmanager
    def read(
        self, file: PinnedFile, *, start: int = 0, stop: int | None = None
    ) -> Iterator[Iterator[bytes]]:
        """Open the bytes of *file* from *start* to *stop*.

        Raises:
            SourceError: As ``Source.read`` promises.
        """
        headers = {}
        if token := self._credential():
            headers["authorization"] = f"Bearer {token}"
        try:
            with self._door.stream(file.location, start, stop, headers) as chunks:
                yield chunks
        except RefusedError as error:
            if error.headers.get("x-error-code") != "GatedRepo":
                raise
            raise self._gated(place(file.location)) from error

    def _credential(self) -> str:
        if self._token is None:
            self._token = huggingface_hub.get_token() or ""
        return self._token

    def _commit(self, info: ModelInfo | DatasetInfo, name: str) -> str:
        commit = str(info.sha)
        if _OID.fullmatch(commit) is None or naming.name_problem(info.id):
            problem = f"{self.endpoint} names no commit for `{naming.show(name)}`"
            raise SourceError(problem)
        return commit

    @contextmanager
    def _asking(self, word: str, name: str, revision: str) -> Iterator[None]:
        """Lend the door to the library, and say its errors in our words."""
        shown = f"{word} `{naming.show(name)}`"
        try:
            # The library keeps one session for the whole process.
            with _SESSION:
                huggingface_hub.set_client_factory(self._door.client)
                try:
                    yield
                finally:
                    huggingface_hub.set_client_factory(_usual_client)
        except GatedRepoError as error:
            raise self._gated(shown) from error
        except (DisabledRepoError, RepositoryNotFoundError) as error:
            raise self._gone(shown, error) from error
        except RevisionNotFoundError as error:
            problem = f"{shown} has no revision `{naming.show(revision)}`"
            hint = "name a branch, a tag or a full commit; most have `main`"
            raise RequestError(problem, hint=hint) from error
        except HFValidationError as error:
            problem = f"{shown} is not a repository's name"
            raise RequestError(problem, hint="write it as `owner/name`") from error
        except HfHubHTTPError as error:
            raise self._http(shown, error) from error
        except (httpx2.HTTPError, json.JSONDecodeError, *_MISREAD) as error:
            said = naming.show(f"{type(error).__name__}: {error}")
            problem = f"{self.endpoint} answers oddly about {shown} ({said})"
            raise SourceError(problem) from error

    def _gated(self, shown: str) -> SourceGatedError:
        hint = (
            f"accept its terms in a browser at {self.endpoint}, then set HF_TOKEN to a"
            " token of the same account"
        )
        problem = f"{shown} is gated: its terms must be accepted"
        return SourceGatedError(problem, hint=hint)

    def _gone(self, shown: str, error: HfHubHTTPError) -> SourceGoneError:
        if isinstance(error, DisabledRepoError):
            problem = f"{shown} was switched off by {self.endpoint}"
            return SourceGoneError(problem, hint="ask its owner, or the hub")
        problem = f"{shown} is not at {self.endpoint}, or is private"
        hint = "check its spelling; for a private one, set HF_TOKEN"
        return SourceGoneError(problem, hint=hint)

    def _http(self, shown: str, error: HfHubHTTPError) -> SourceError:
        status = error.response.status_code
        said = naming.show(error.server_message or "no reason given")
        problem = f"{self.endpoint} refused {shown} with {status}: {said}"
        hint = "check HF_TOKEN: the hub does not know it, or it may not read this"
        return SourceError(problem, hint=hint if status in (401, 403) else "")


# What the library's own parsing raises on JSON of an unexpected shape.
_MISREAD = (KeyError, TypeError, ValueError, AttributeError)


def _usual_client() -> httpx2.Client:
    return httpx2.Client(follow_redirects=True, timeout=None)


def _file(entry: RepoFile, base: str) -> PinnedFile:
    sha256 = entry.lfs.sha256 if entry.lfs else None
    oid = None if entry.lfs else entry.blob_id
    size: object = entry.lfs.size if entry.lfs else entry.size
    stated = is_sha256(sha256) if oid is None else _OID.fullmatch(oid)
    if not stated or not isinstance(size, int) or size < 0:
        problem = f"the hub states no digest or size for `{naming.show(entry.path)}`"
        raise SourceError(problem)
    security = entry.security.status if entry.security else ""
    return PinnedFile(
        path=entry.path,
        size=size,
        sha256=Sha256(sha256) if sha256 else None,
        git_oid=oid,
        location=f"{base}/{quote(entry.path)}",
        facts={"security": security} if security else {},
    )


def _facts(info: ModelInfo | DatasetInfo, tags: set[str]) -> dict[str, Json]:
    modified = info.last_modified
    said: dict[str, Json] = {
        "modified": modified.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if modified
        else "",
        "gated": str(info.gated) if info.gated else "",
        "disabled": bool(info.disabled),
        "author": info.author or "",
        "library": getattr(info, "library_name", None) or "",
        "task": getattr(info, "pipeline_tag", None) or "",
        # Nothing else in a release tells a tag from a branch.
        "tags": tuple(sorted(tags)),
    }
    return {key: value for key, value in said.items() if value}


def _stated(info: ModelInfo | DatasetInfo, key: str) -> tuple[str, ...]:
    value = info.card_data.get(key) if info.card_data else None
    values = value if isinstance(value, list) else [value]
    return tuple(text for text in values if isinstance(text, str) and text)


def _tagged(info: ModelInfo | DatasetInfo, prefix: str) -> tuple[str, ...]:
    found = (tag for tag in info.tags or () if tag.startswith(prefix))
    return tuple(tag.removeprefix(prefix) for tag in found)


def _licence(info: ModelInfo | DatasetInfo) -> str:
    return ", ".join(_stated(info, "license") or _tagged(info, "license:"))


def _base_models(info: ModelInfo | DatasetInfo) -> tuple[str, ...]:
    stated = _stated(info, "base_model")
    # Tags also spell the relation: `base_model:quantized:org/name`.
    tagged = (tag.rsplit(":", 1)[-1] for tag in _tagged(info, "base_model:"))
    return tuple(sorted(set(stated or tagged)))


def _precisions(info: ModelInfo | DatasetInfo) -> frozenset[str]:
    if isinstance(info, DatasetInfo):
        return frozenset()
    counts = info.safetensors.parameters if info.safetensors else {}
    most = max(counts, key=lambda kind: counts[kind], default="")
    quantised = (info.config or {}).get("quantization_config") or {}
    method = quantised.get("quant_method") if isinstance(quantised, dict) else None
    return frozenset(text.casefold() for text in (method or most,) if text)
