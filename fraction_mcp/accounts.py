"""Stored accounts: profiles, each one company and account, and the keychain that holds their secrets.

A profile is a folder of its own, so its journal is, too: `profile.json` says which account, and under which name its
secret lies in the operating system's keychain. Where there is no keychain, the secret is in `secrets.json` beside it,
0600. `keyring` takes a tenth of a second to load, and its keychain may ask its person to open it: neither happens
before a secret is asked for. A secret leaves this module only as the value of a `SecretStr`.
"""

import json
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import SecretStr

from fraction_mcp.errors import ConfigError
from fraction_mcp.private_files import private_file, private_folder

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

__all__ = [
    "ErpName",
    "StoredAccount",
    "forget_profile",
    "keep_account",
    "keychain_title",
    "profile_names",
    "read_profile",
]

ErpName = Literal["fractionerp", "fracttal"]
Place = Literal["keychain", "file"]

_SERVICE = "fraction-mcp"
_PROFILE, _SECRETS = "profile.json", "secrets.json"
_HIDDEN = "**********"


class _KeptSecret(SecretStr):
    """A secret that stays where it is kept until it is first asked for. Its length is 1: it is known to be there."""

    def __init__(self, fetch: Callable[[], str]) -> None:
        super().__init__("")
        self._fetch = fetch

    def get_secret_value(self) -> str:
        if not self._secret_value:
            self._secret_value = self._fetch()
        return self._secret_value

    def __len__(self) -> int:
        return 1

    def __repr__(self) -> str:
        return f"SecretStr('{_HIDDEN}')"

    def __str__(self) -> str:
        return _HIDDEN

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other


@dataclass(frozen=True)
class StoredAccount:
    """One ERP's account in a profile. `account` is the e-mail or the client id; `name` is what the keychain knows the
    secret by."""

    erp: ErpName
    folder: Path
    base_url: str
    account: str
    kept_in: Place
    name: str
    token_url: str = ""
    currency: str = ""

    def settings(self) -> dict[str, Any]:
        """The fields of `Settings` that it fills; the secret is fetched when it is first used."""
        secret = _KeptSecret(lambda: _fetched(self))
        if self.erp == "fractionerp":
            return {
                "fraction_base_url": self.base_url,
                "fraction_email": self.account,
                "fraction_password": secret,
                "fraction_currency": self.currency,
            }
        return {
            "fracttal_base_url": self.base_url,
            "fracttal_token_url": self.token_url,
            "fracttal_client_id": self.account,
            "fracttal_client_secret": secret,
        }


def profile_names(root: Path) -> list[str]:
    """The profiles that are stored under a state folder, `default` first."""
    names = ["default"] if (root / _PROFILE).exists() else []
    return names + sorted(path.parent.name for path in root.glob(f"profiles/*/{_PROFILE}"))


def read_profile(folder: Path) -> list[StoredAccount]:
    """The accounts of the profile in this folder; none where there is no profile. Raises ConfigError for a damaged one.

    Whoever could write the file could have a password sent to an address of theirs: another user's is refused.
    """
    path = folder / _PROFILE
    if not path.exists():
        return []
    if folder.parent.name == "profiles":  # whoever could write those above could put another folder in its place
        for above in (folder.parent.parent, folder.parent):
            private_folder(above)
    try:
        stored = json.loads(private_file(path).read_text("utf-8"))
        if not isinstance(stored, dict):
            raise TypeError("not as it was written")  # noqa: TRY301 - told as any other damage
        return [_account(folder, erp, stored[erp]) for erp in _ERPS if erp in stored]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} is damaged ({type(error).__name__}); fraction-mcp login writes it anew") from None


_ERPS: tuple[ErpName, ...] = ("fractionerp", "fracttal")
_TEXTS = ("base_url", "account", "kept_in", "name", "token_url", "currency")


def _account(folder: Path, erp: ErpName, stored: Mapping[str, str]) -> StoredAccount:
    texts: dict[str, Any] = {name: stored[name] for name in _TEXTS}
    if not all(isinstance(text, str) for text in texts.values()) or texts["kept_in"] not in {"keychain", "file"}:
        raise ValueError("not as it was written")
    return StoredAccount(erp=erp, folder=folder, **texts)


def keep_account(
    folder: Path,
    profile: str,
    erp: ErpName,
    *,
    base_url: str,
    account: str,
    secret: str,
    token_url: str = "",
    currency: str = "",
) -> StoredAccount:
    """Keep an account, in place of the one of this ERP that the profile had. Raises ConfigError where it cannot be."""
    private_folder(folder)
    others = [each for each in read_profile(folder) if each.erp != erp]
    before = [each for each in read_profile(folder) if each.erp == erp]
    name = f"{profile}/{erp}/{secrets.token_hex(4)}"  # its own: two state folders may each have a profile of this name
    kept_in: Place = "keychain" if _kept_in_keychain(name, secret) else "file"
    if kept_in == "file":
        _change_secrets(folder, {name: secret})
    fresh = StoredAccount(erp, folder, base_url, account, kept_in, name, token_url, currency)
    _write_profile(folder, [*others, fresh])
    for each in before:
        _drop_secret(each)
    return fresh


def forget_profile(folder: Path) -> list[StoredAccount]:
    """Forget the profile's accounts and secrets, and tell which they were. Its journal stays."""
    accounts = read_profile(folder)
    for each in accounts:
        _drop_secret(each)
    _remove(folder / _PROFILE)
    return accounts


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(f"{path} cannot be removed: {error.strerror or error}") from None


def _write_profile(folder: Path, accounts: Sequence[StoredAccount]) -> None:
    stored = {each.erp: {name: getattr(each, name) for name in _TEXTS} for each in accounts}
    _replace(folder / _PROFILE, json.dumps(stored, indent=2) + "\n")


def _replace(path: Path, text: str) -> None:
    """The file anew and whole, 0600."""
    draft = private_file(path.with_name(f".{path.name}.{os.getpid()}.new"))
    try:
        draft.write_text(text, "utf-8")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ConfigError(f"{path} cannot be written: {error.strerror or error}") from None


# ------------------------------------------------------------------------------------------------------------- secrets


def keychain_title() -> str:
    """What the operating system's keychain is called; empty where there is none that keeps anything."""
    backend = _keychain()
    return str(backend.name) if backend else ""


def _keychain() -> "KeyringBackend | None":
    import keyring  # noqa: PLC0415 - see the module's docstring

    try:
        backend = keyring.get_keyring()
    except Exception:  # noqa: BLE001 - whatever a backend of another's cannot do, there is no keychain then
        return None
    return backend if backend.priority > 0 else None  # none, and the one that forgets, have 0 and less


def _kept_in_keychain(name: str, secret: str) -> bool:
    backend = _keychain()
    if backend is None:
        return False
    try:
        backend.set_password(_SERVICE, name, secret)
        return backend.get_password(_SERVICE, name) == secret
    except Exception:  # noqa: BLE001 - locked, no session bus, refused: a file is the way on
        return False


def _fetched(account: StoredAccount) -> str:
    """Raises ConfigError where it is not to be had; no error shows any of it."""
    place = f"the keychain's entry {_SERVICE} {account.name}" if account.kept_in == "keychain" else _SECRETS
    try:
        secret = _from_keychain(account) if account.kept_in == "keychain" else _secrets_in(account.folder)[account.name]
    except ConfigError:
        raise
    except KeyError:
        secret = None
    except Exception as error:  # noqa: BLE001 - a backend's own words may hold anything
        raise ConfigError(
            f"the keychain could not be read ({type(error).__name__}): unlock it, or run fraction-mcp login again"
        ) from None
    if not secret:
        raise ConfigError(f"the secret of {account.account} is no longer in {place}; fraction-mcp login keeps it anew")
    return secret


def _from_keychain(account: StoredAccount) -> str | None:
    backend = _keychain()
    if backend is None:
        raise ConfigError("the keychain that holds the secret is not here; fraction-mcp login keeps it anew")
    return backend.get_password(_SERVICE, account.name)


def _drop_secret(account: StoredAccount) -> None:
    if account.kept_in == "file":
        _change_secrets(account.folder, {account.name: None})
        return
    from keyring.errors import PasswordDeleteError  # noqa: PLC0415 - see the module's docstring

    backend = _keychain()
    try:
        if backend is not None:
            backend.delete_password(_SERVICE, account.name)
    except PasswordDeleteError:  # it was gone already
        return
    except Exception as error:  # noqa: BLE001 - a backend's own words may hold anything
        raise ConfigError(
            f"the keychain's entry {_SERVICE} {account.name} could not be removed ({type(error).__name__}); "
            "unlock the keychain and try again"
        ) from None


def _secrets_in(folder: Path) -> dict[str, str]:
    path = folder / _SECRETS
    if not path.exists():
        return {}
    try:
        stored: dict[str, str] = json.loads(private_file(path).read_text("utf-8"))
    except (OSError, ValueError):
        raise ConfigError(f"{path} is damaged; fraction-mcp login writes it anew") from None
    return stored


def _change_secrets(folder: Path, changes: Mapping[str, str | None]) -> None:
    kept = {name: secret for name, secret in {**_secrets_in(folder), **changes}.items() if secret is not None}
    if kept:
        _replace(folder / _SECRETS, json.dumps(kept) + "\n")
    else:
        _remove(folder / _SECRETS)
