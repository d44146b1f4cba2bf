"""Whose word about a client counts."""

import pytest

from airlift.errors import RequestError
from airlift.serve.http.forwarded import Origin, origin, proxies

NGINX = proxies(["127.0.0.1", "10.1.0.0/16", "::1"])


def ask(peer: str, *pairs: tuple[str, str]) -> Origin:
    """Return where a request from *peer* comes from."""
    return origin(peer, pairs, NGINX)


def test_a_stranger_cannot_say_who_they_are() -> None:
    """Anybody could hide in the log, and send others to another scheme."""
    lies = (("x-forwarded-for", "10.9.9.9"), ("x-forwarded-proto", "https"))
    assert ask("192.0.2.1", *lies) == Origin(client="192.0.2.1")


@pytest.mark.parametrize(
    ("fields", "client"),
    [
        (["192.0.2.7"], "192.0.2.7"),
        (["6.6.6.6, 192.0.2.7"], "192.0.2.7"),
        (["6.6.6.6", "192.0.2.7"], "192.0.2.7"),
        (["192.0.2.7, 10.1.2.3"], "192.0.2.7"),
        (["10.1.0.9, 10.1.2.3"], "10.1.0.9"),
        (["2001:db8::7"], "2001:db8::7"),
        (["[2001:db8::7]"], "2001:db8::7"),
        (["::ffff:192.0.2.7"], "192.0.2.7"),
        (["6.6.6.6, rubbish"], "127.0.0.1"),
        (["rubbish, 192.0.2.7"], "192.0.2.7"),
        ([""], "127.0.0.1"),
        ([], "127.0.0.1"),
    ],
)
def test_the_last_address_that_is_no_proxy_is_the_client(
    fields: list[str], client: str
) -> None:
    """What stands before it the client wrote itself."""
    pairs = [("x-forwarded-for", field) for field in fields]
    assert ask("127.0.0.1", *pairs) == Origin(client=client, trusted=True)


@pytest.mark.parametrize(
    ("said", "scheme"),
    [("https", "https"), ("HTTP", "http"), ("https, http", "http"), ("gopher", "")],
)
def test_a_proxy_says_how_the_client_came(said: str, scheme: str) -> None:
    """Links in answers must lead back the way the client came."""
    found = ask("::ffff:10.1.2.3", ("x-forwarded-proto", said))
    assert (found.scheme, found.trusted) == (scheme, True)


def test_a_socket_in_the_file_system_has_no_address() -> None:
    """Who may connect to it is decided by its permissions."""
    said = [("x-forwarded-for", "192.0.2.7")]
    assert origin("-", said, NGINX) == Origin(client="-")
    known = proxies(["unix"])
    assert origin("-", said, known) == Origin(client="192.0.2.7", trusted=True)


def test_a_proxy_must_be_an_address() -> None:
    """A name would be looked up at another time, in another network."""
    with pytest.raises(RequestError) as caught:
        proxies(["proxy.example"])
    assert str(caught.value) == (
        "`proxy.example` is not a proxy's address: 'proxy.example' does not appear"
        " to be an IPv4 or IPv6 network"
    )
