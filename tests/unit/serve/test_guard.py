"""The front guard: framing and Host."""

import pytest

from airlift.serve.http.guard import Head, Refusal, refuse, single

NAMES = frozenset({"models.plant7.example", "models"})
LIMIT = 1 << 20


def check(
    *fields: tuple[str, str],
    method: str = "GET",
    target: str = "/x",
    local: str = "10.0.0.5",
) -> Refusal | None:
    """Ask the guard about a request; Host is good unless *fields* have one."""
    if not any(name == "host" for name, _ in fields):
        fields = (("host", "localhost:8484"), *fields)
    head = Head(method=method, target=target, fields=fields, local=local)
    return refuse(head, host_names=NAMES, body_limit=LIMIT)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:8484",
        "LOCALHOST:1",
        "127.0.0.1:8484",
        "127.1.2.3",
        "[::1]:8484",
        "10.0.0.5",
        "10.0.0.5:8484",
        "models",
        "Models.Plant7.Example:443",
    ],
)
def test_own_names_are_served(host: str) -> None:
    """Loopback, the address the client connected to, and names the operator gave."""
    assert check(("host", host)) is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8484",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "models.evil.example",
        "evil.example.models.plant7.example",
        "xmodels",
        "10.0.0.6",
        "10.0.0.50",
        "0.0.0.0",
        "169.254.169.254",
        "[fe80::1]",
        "[::2]",
        "2130706433",
        "0x7f.1",
        "127.1",
    ],
)
def test_a_foreign_host_is_misdirected(host: str) -> None:
    """A page in a browser that rebinds its own name to us must read nothing."""
    refusal = check(("host", host))
    assert refusal is not None
    name = host.removesuffix(":8484").strip("[]")
    assert refusal == Refusal(
        status=421,
        problem=f"host `{name}` is not a name of this server;"
        f" allow it with `airlift serve --host-name {name}`",
    )


@pytest.mark.parametrize(
    "host",
    [
        "",
        " ",
        "localhost localhost",
        "localhost:",
        "localhost:port",
        "localhost:8484:8484",
        "user@localhost",
        "localhost/evil",
        "http://localhost",
        "localhost\x00evil",
        "local\u212aost",
        "[::1",
        "::1",
        "a" * 300,
    ],
)
def test_a_malformed_host_is_refused(host: str) -> None:
    """What two parsers may read differently is not guessed at."""
    problem = "Host field is malformed"
    assert check(("host", host)) == Refusal(status=400, problem=problem)


@pytest.mark.parametrize("count", [0, 2])
def test_there_is_exactly_one_host(count: int) -> None:
    """With two, a proxy and this server could each believe another one."""
    head = Head(method="GET", target="/", fields=[("host", "localhost")] * count)
    assert refuse(head, host_names=NAMES, body_limit=LIMIT) == Refusal(
        status=400, problem="there is not exactly one Host field"
    )


def test_an_ipv4_client_of_a_dual_stack_socket_finds_its_own_address() -> None:
    """Such a connection's own address reads `::ffff:10.0.0.5`."""
    assert check(("host", "10.0.0.5"), local="::ffff:10.0.0.5") is None


@pytest.mark.parametrize(
    ("method", "fields", "status", "problem"),
    [
        ("GET", [("content-length", "5")], 400, "GET has a body"),
        ("HEAD", [("content-length", "1")], 400, "HEAD has a body"),
        ("GET", [("transfer-encoding", "chunked")], 400, "GET has a body"),
        ("HEAD", [("transfer-encoding", "identity")], 400, "HEAD has a body"),
        (
            "POST",
            [("content-length", "5"), ("transfer-encoding", "chunked")],
            400,
            "length of the body is ambiguous",
        ),
        (
            "POST",
            [("content-length", "5"), ("content-length", "5")],
            400,
            "length of the body is ambiguous",
        ),
        (
            "POST",
            [("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")],
            400,
            "length of the body is ambiguous",
        ),
        (
            "POST",
            [("content-length", "+5")],
            400,
            "length of the body is not a number",
        ),
        ("POST", [("content-length", "")], 400, "length of the body is not a number"),
        (
            "POST",
            [("content-length", "\u0665")],
            400,
            "length of the body is not a number",
        ),
        ("POST", [("content-length", "1048577")], 413, "body is above 1048576 bytes"),
        ("POST", [("content-length", "9" * 5000)], 413, "body is above 1048576 bytes"),
        ("POST", [("content-encoding", "gzip")], 415, "body is compressed"),
    ],
)
def test_ambiguous_or_unwanted_bodies_are_refused(
    method: str, fields: list[tuple[str, str]], status: int, problem: str
) -> None:
    """A body that only one of two servers sees smuggles a second request."""
    expected = Refusal(status=status, problem=problem)
    assert check(*fields, method=method) == expected


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("GET", [("content-length", "0")]),
        ("POST", []),
        ("POST", [("content-length", "1048576")]),
        ("POST", [("transfer-encoding", "chunked")]),
    ],
)
def test_ordinary_bodies_pass(method: str, fields: list[tuple[str, str]]) -> None:
    """`Content-Length: 0` on GET is what some clients always send."""
    assert check(*fields, method=method) is None


@pytest.mark.parametrize("method", ["PUT", "DELETE", "TRACE", "CONNECT", "get", "X"])
def test_other_methods_are_refused_with_those_allowed(method: str) -> None:
    """Nothing can be written through the server, and TRACE echoes nothing."""
    assert check(method=method) == Refusal(
        status=405,
        problem="method is not served",
        headers=(("Allow", "GET, HEAD, POST"),),
    )


@pytest.mark.parametrize(
    "target", ["http://localhost/x", "*", "localhost:80", "", "x", "//"[:0]]
)
def test_only_paths_are_targets(target: str) -> None:
    """An absolute target names a second host beside the Host field."""
    problem = "request target is not a path"
    assert check(target=target) == Refusal(status=400, problem=problem)


def test_the_last_of_a_repeated_field_counts_but_two_ranges_are_none() -> None:
    """Two Range fields are several ranges, and several ranges get the whole file."""
    fields = [("accept", "a"), ("accept", "b"), ("range", "x"), ("range", "y")]
    assert single(fields) == {"accept": "b", "range": ""}
