"""Which of the sites a command is about."""

from airlift.errors import RequestError
from airlift.trust.publisher import Publisher


def choose(publisher: Publisher, named: str | None) -> str:
    """Return the site *named*, or the only one there is.

    Raises:
        RequestError: There are several, or the name is unknown.
    """
    known = [one.name for one in publisher.sites()]
    if named is None and len(known) == 1:
        return known[0]
    if named is not None and named in known:
        return named
    names = ", ".join(known) or "none"
    problem = f"name the site with --site; known are {names}"
    if named is not None:
        problem = f"there is no site `{named}`; known are {names}"
    raise RequestError(problem, hint="`airlift site add NAME` makes one")
