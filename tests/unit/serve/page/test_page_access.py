"""Who may read what of the catalogue."""

from airlift.serve.access.scope import parse_all
from airlift.serve.access.scoped_shelf import ScopedShelf
from airlift.serve.dialect import Caller
from airlift.serve.page import rendering
from page_world import DATA, GGUF, LLM, WHEELS, World, read, targets

SECRET = (GGUF, DATA, "far/away", WHEELS, "foo-bar", "foo_bar", "org/waits")


def limited(one: World, *scopes: str) -> ScopedShelf:
    """Return the shelf of a caller with these scopes."""
    return ScopedShelf(one.shelf, parse_all(scopes))


def test_a_caller_reads_nothing_of_what_it_may_not_have(site: World) -> None:
    """Names of models are secrets of their own at some sites."""
    shelf = limited(site, f"models:{LLM}", "ollama:*")
    caller = Caller(name="team")
    shown = 0
    more = ("/-/models?sort=-size", "/-/imports/2", "/-/wheels/x", "/-/releases/x")
    every = [one for one in targets(site) if one != "/-/wheels/foo-bar"]
    for target in [*every, *more]:
        answer = site.get(target, caller=caller, shelf=shelf)
        assert isinstance(answer.body, bytes)
        text = answer.body.decode()
        assert [one for one in SECRET if one in text] == [], target
        shown += LLM in text
    assert shown >= 6


def test_a_caller_with_all_powers_reads_everything(site: World) -> None:
    """An administrator's token is no less than a server without tokens."""
    caller = Caller(name="admin", powers=frozenset({"*"}))
    for target in ("/-/models", "/-/imports", "/-/storage"):
        answer = site.get(target, caller=caller, shelf=limited(site, "*"))
        assert isinstance(answer.body, bytes)
        assert read(answer).said("tr") == site.read(target).said("tr")


def test_a_stranger_is_asked_to_sign_in(site: World) -> None:
    """Browsers show their own question for a password."""
    stranger = Caller(may_sign_in=True)
    for target in targets(site):
        answer = site.get(target, caller=stranger, shelf=limited(site))
        assert answer.status == 401, target
        told = dict(answer.headers)
        assert told["WWW-Authenticate"] == 'Basic realm="airlift", charset="UTF-8"'
        assert told["Content-Security-Policy"] == rendering.POLICY
        assert isinstance(answer.body, bytes)
        assert LLM not in answer.body.decode()


def test_a_stranger_who_may_see_something_may_still_sign_in(site: World) -> None:
    """The public part is shown, and there is a way to the rest and back."""
    stranger, shelf = Caller(may_sign_in=True), limited(site, f"models:{LLM}")
    page = read(site.get("/", caller=stranger, shelf=shelf))
    assert page.links[-1] == "/?sign-in=1"
    assert site.get("/?sign-in=1", caller=stranger, shelf=shelf).status == 401
    back = site.get("/?sign-in=1", caller=Caller(name="team"), shelf=shelf)
    assert (back.status, dict(back.headers)["Location"]) == (303, "/")


def test_what_a_credential_does_not_cover_is_said_to_be_so(site: World) -> None:
    """The reader asks for a wider one instead of for the model."""
    caller, shelf = Caller(name="team"), limited(site, f"models:{LLM}")
    answer = site.get(f"/-/models/dataset/{DATA}", caller=caller, shelf=shelf)
    assert answer.status == 403
    assert read(answer).said("p")[0] == f"Your credential does not cover {DATA}."


def test_commands_say_that_a_token_is_needed(site: World) -> None:
    """Else the first thing a copied command does is fail."""
    caller, shelf = Caller(name="team"), limited(site, f"models:{LLM}")
    answer = site.get(site.release(LLM), caller=caller, shelf=shelf)
    assert "read -rs HF_TOKEN; export HF_TOKEN" in read(answer).said("code")
