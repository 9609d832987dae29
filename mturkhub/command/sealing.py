"""Keys under a passphrase: scrypt makes a Fernet key of it."""

import base64
import getpass
import json
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from mturkhub.command.refusals import CannotStart

# 64 MB and a fraction of a second for each guess.
COST = {"n": 2**16, "r": 8, "p": 1}
SHORTEST = 12


def seal(keys: Mapping[str, str], passphrase: str) -> bytes:
    """The keys as a small JSON document that only the passphrase opens."""
    salt = secrets.token_bytes(16)
    token = _fernet(passphrase, salt, COST).encrypt(json.dumps(dict(keys)).encode())
    shown = {"kdf": "scrypt", **COST, "salt": base64.b64encode(salt).decode(), "fernet": token.decode()}
    return json.dumps(shown).encode()


def unseal(sealed: bytes, passphrase: str) -> dict[str, str]:
    """The keys; raises CannotStart when the passphrase is another."""
    shown = json.loads(sealed)
    cost = {name: int(shown[name]) for name in COST}
    if shown["kdf"] != "scrypt" or cost["n"] > 2**22:
        raise CannotStart("The keys in this backup are protected in a way this version does not know.")
    try:
        plain = _fernet(passphrase, base64.b64decode(shown["salt"]), cost).decrypt(shown["fernet"].encode())
    except InvalidToken:
        raise CannotStart(
            "The passphrase does not open the keys in this backup. Try again; nothing was changed."
        ) from None
    return {str(name): str(value) for name, value in json.loads(plain).items()}


def _fernet(passphrase: str, salt: bytes, cost: Mapping[str, int]) -> Fernet:
    key = Scrypt(salt=salt, length=32, **cost).derive(passphrase.encode())
    return Fernet(base64.urlsafe_b64encode(key))


def ask_passphrase(*, variable: str | None, file: Path | None, twice: bool) -> str:
    """The passphrase from the named variable or file, else from the terminal; raises CannotStart."""
    if variable:
        passphrase = os.environ.get(variable, "")
        where = f"the variable {variable}"
    elif file:
        passphrase = file.read_text(encoding="utf-8").strip("\r\n")
        where = str(file)
    elif sys.stdin.isatty():
        passphrase = getpass.getpass("Passphrase for the keys: ")
        where = "what was typed"
        if twice and passphrase != getpass.getpass("The same again: "):
            raise CannotStart("The two passphrases differ. Nothing was written; try again.")
    else:
        raise CannotStart(
            "The keys need a passphrase and there is no terminal to ask on. "
            "Name a variable or a file that holds it: --passphrase-env NAME or --passphrase-file FILE."
        )
    if len(passphrase) < (SHORTEST if twice else 1):
        raise CannotStart(
            f"The passphrase ({where}) is too short: {SHORTEST} characters are the least."
            if twice
            else f"There is no passphrase in {where}."
        )
    return passphrase
