"""Rules of the house that no linter has a switch for."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import airlift

PACKAGE = Path(airlift.__file__).parent
PURE = ("format/", "payload/", "artifact.py", "digest.py", "errors.py", "naming.py")
LONGEST_MODULE = 400  # lines
EXTRACTORS = {"extractall", "extract", "unpack_archive"}
LOADERS = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Yield every module of the package with its path inside it."""
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text())


def calls(tree: ast.Module) -> set[str]:
    """Return the bare names and attributes that *tree* calls."""
    return {
        node.func.id if isinstance(node.func, ast.Name) else node.func.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name | ast.Attribute)
    }


def imports(tree: ast.Module) -> set[str]:
    """Return the top-level packages that *tree* imports, anywhere in it."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize(
    ("proof", "issuer"),
    [
        ("VerifiedDelivery", "trust/verifier.py"),
        ("VerifiedRelease", "trust/verifier.py"),
        ("SignedReceipt", "trust/receipt.py"),
        ("VerifiedCatalogue", "trust/catalogue.py"),
    ],
)
def test_a_proof_of_verification_has_one_issuer(proof: str, issuer: str) -> None:
    """Whoever holds one knows that the signatures were checked."""
    assert {name for name, tree in modules() if proof in calls(tree)} == {issuer}


def test_pure_modules_open_nothing() -> None:
    """Codecs get streams and bytes; they never see a real path."""
    openers = {
        name
        for name, tree in modules()
        if name.startswith(PURE) and calls(tree) & {"open", "Path", "fdopen"}
    }
    assert openers == set()


def test_modules_stay_readable_in_one_sitting() -> None:
    """A module that outgrows the limit is split."""
    long = {
        path.relative_to(PACKAGE).as_posix(): lines
        for path in PACKAGE.rglob("*.py")
        if (lines := len(path.read_text().splitlines())) > LONGEST_MODULE
    }
    assert long == {}


def test_no_archive_is_extracted() -> None:
    """An extractor believes the names in an archive; airlift believes signed ones."""
    found = {
        name: sorted(calls(tree) & EXTRACTORS)
        for name, tree in modules()
        if calls(tree) & EXTRACTORS
    }
    assert found == {}


def test_nothing_is_unpickled() -> None:
    """Loading a pickle runs it."""
    found = {name for name, tree in modules() if imports(tree) & LOADERS}
    assert found == set()


def test_only_the_door_of_the_program_catches_everything() -> None:
    """A broad ``except`` elsewhere turns a bug into a silent success."""
    broad = {
        name
        for name, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (
            node.type is None
            or any(
                isinstance(part, ast.Name) and part.id in ("Exception", "BaseException")
                for part in ast.walk(node.type)
            )
        )
        # One that raises again is a clean-up.
        and not any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
    }
    # A thread of the crew keeps what it caught; whoever waits for it raises it.
    assert broad == {"cli/main.py", "crew.py"}


def test_the_rules_see_what_they_look_for() -> None:
    """A census that looks at nothing finds nothing."""
    tree = ast.parse("import tarfile, pickle\ntarfile.open(x).extractall()\nopen(y)")
    assert calls(tree) == {"open", "extractall"}
    assert imports(tree) == {"tarfile", "pickle"}
    assert len(list(modules())) > 100
