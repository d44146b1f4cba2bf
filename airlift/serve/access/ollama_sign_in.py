"""Ollama hosts signing in with their keys: fresh, once, and known here."""

import threading

from airlift.serve.access import ollama_key
from airlift.serve.access.credentials import Proof
from airlift.serve.access.sign_in import Found, Unknown, Visit, counted

WINDOW_S = 300
"""How far the clocks of a host and this server may differ. Signatures within it are
remembered, so that none counts twice."""

_REMEMBERED = 100_000


class OllamaSignIn:
    """Reads what Ollama sends to ask for a bearer. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._used: dict[str, int] = {}

    def who(self, visit: Visit, field: str) -> Found:
        """Return whom the ``Authorization`` *field* names."""
        request = visit.request
        url = f"{request.base_url}{request.path}"
        proof = ollama_key.verify(field, url=url, query=request.query)
        if proof is None:
            return Unknown(problem="the signature of this Ollama host is not right")
        found = visit.register.find(Proof.OLLAMA_KEY, proof.key.text)
        if found is None:
            shown = proof.key.fingerprint
            problem = f"the key {shown} of this Ollama host is not known here"
            return Unknown(problem=problem)
        if abs(proof.signed_at - visit.seconds) > WINDOW_S:
            away = proof.signed_at - visit.seconds
            problem = f"the clock of this Ollama host is {away} seconds off"
            return Unknown(problem=problem)
        # After the look-up: strangers cannot fill what is remembered.
        if not self._first(f"{proof.key.text}/{proof.nonce}", visit.seconds):
            return Unknown(problem="this signature was used before; sign in again")
        return counted(visit, found, "")

    def _first(self, mark: str, now: int) -> bool:
        with self._lock:
            if len(self._used) >= _REMEMBERED:
                # A signature from before this moment less the window is too old.
                old = now - 2 * WINDOW_S
                self._used = {m: at for m, at in self._used.items() if at > old}
            if mark in self._used or len(self._used) >= _REMEMBERED:
                return False
            self._used[mark] = now
            return True


def speaks(field: str) -> bool:
    """Say whether an ``Authorization`` *field* is of the shape Ollama sends."""
    return ":" in field and " " not in field.strip()
