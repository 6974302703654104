"""People who signed in, and the ERP's tokens that are kept for them, in a transaction of the store."""

import base64
import json
import logging
from dataclasses import dataclass
from unicodedata import normalize

import sqlalchemy as sa
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncConnection

from fraction_mcp.erp.auth import ErpSession
from fraction_mcp.server.team.keys import KeyRing
from fraction_mcp.server.team.store_tables import access, browsers, codes, grants, inserted, people

__all__ = [
    "StoredPerson",
    "alive",
    "claim_renewal",
    "ended",
    "is_good",
    "keep",
    "read",
    "released",
    "renewed",
    "subject_of",
]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StoredPerson:
    """Somebody whose ERP token is good as far as is known: the session's `version` counts those that were kept."""

    subject: str
    name: str
    session: ErpSession


def subject_of(account: str) -> str:
    return account.strip().lower()


async def keep(connection: AsyncConnection, ring: KeyRing, session: ErpSession, now: float) -> str:
    """The subject; empty where it is, or could be, somebody else: an account whose letters become plain ones when they
    are made small (the Kelvin sign, a k), and another account of the ERP than the one whose sign-in is kept under it.
    """
    subject = subject_of(session.account)
    if _could_be_another(session.account) or await _is_anothers(connection, ring, subject, session, now):
        logger.warning("somebody has signed in to the ERP whose e-mail is another person's here: nobody was signed in")
        return ""
    row = _sealed(ring, subject, session)
    is_new = await inserted(connection, people, subject=subject, version=1, renewer="", renew_until=0.0, **row)
    if not is_new:
        again = sa.update(people).where(people.c.subject == subject)
        await connection.execute(again.values(version=people.c.version + 1, renewer="", renew_until=0.0, **row))
    return subject


async def _is_anothers(
    connection: AsyncConnection, ring: KeyRing, subject: str, session: ErpSession, now: float
) -> bool:
    """Whoever had the e-mail before keeps it as long as their token may live: an account that was made anew gets it
    when that has ended."""
    kept = await read(connection, ring, subject)
    before, user = (kept.session if kept else None), (session.user or {}).get("id")
    if before is None or (before.expires_at is not None and before.expires_at <= now):
        return False
    known = (before.user or {}).get("id")
    return user is not None and known is not None and user != known


def _could_be_another(account: str) -> bool:
    folded = (normalize("NFC", each.lower()) for each in account if not each.isascii())
    return any(each.isascii() for text in folded for each in text)


async def read(connection: AsyncConnection, ring: KeyRing, subject: str) -> StoredPerson | None:
    row = (await connection.execute(sa.select(people).where(people.c.subject == subject))).first()
    if row is None or not row.sealed:
        return None
    opened = ring.unseal(base64.b64decode(row.sealed), about=_about(subject))
    if opened is None:
        logger.warning("an ERP token was sealed under a key that FRACTION_MCP_SECRET_KEY no longer holds")
        return None
    payload = json.loads(opened)
    session = ErpSession(
        row.subject,
        SecretStr(payload["token"]),
        payload["renew_at"],
        row.expires_at,
        payload["user"],
        payload["company"],
        row.version,
    )
    return StoredPerson(row.subject, row.name, session)


async def alive(connection: AsyncConnection, ring: KeyRing, subject: str, *, lock: bool = False) -> bool:
    """Whether an ERP token is kept for them that the keys open; with `lock`, until the end of the transaction."""
    query = sa.select(people.c.sealed).where(people.c.subject == subject)
    return is_good(ring, (await connection.execute(query.with_for_update() if lock else query)).scalar())


def is_good(ring: KeyRing, sealed: str | None) -> bool:
    """Of what is kept of somebody's token. Where no key opens it, they are not signed in: their clients are told so,
    and bring them back to the page."""
    return bool(sealed and ring.opens(base64.b64decode(sealed)))


async def claim_renewal(
    connection: AsyncConnection, subject: str, version: int, *, owner: str, now: float, lease_s: float
) -> bool:
    claim = sa.update(people).where(
        people.c.subject == subject,
        people.c.version == version,
        people.c.sealed != "",
        sa.or_(people.c.renew_until <= now, people.c.renewer == owner),
    )
    return (await connection.execute(claim.values(renewer=owner, renew_until=now + lease_s))).rowcount == 1


async def renewed(
    connection: AsyncConnection, ring: KeyRing, subject: str, version: int, session: ErpSession, *, owner: str
) -> bool:
    replace = sa.update(people).where(
        people.c.subject == subject, people.c.version == version, people.c.renewer == owner, people.c.sealed != ""
    )
    values = _sealed(ring, subject, session) | {"version": version + 1, "renewer": "", "renew_until": 0.0}
    return (await connection.execute(replace.values(**values))).rowcount == 1


async def released(connection: AsyncConnection, subject: str, version: int, owner: str) -> None:
    """A renewal that came to nothing: the next one may try at once."""
    release = sa.update(people).where(
        people.c.subject == subject, people.c.version == version, people.c.renewer == owner
    )
    await connection.execute(release.values(renewer="", renew_until=0.0))


async def ended(connection: AsyncConnection, subject: str, version: int) -> bool:
    end = sa.update(people).where(people.c.subject == subject, people.c.version == version, people.c.sealed != "")
    if (await connection.execute(end.values(sealed="", renewer="", renew_until=0.0))).rowcount == 0:
        return False
    await connection.execute(sa.delete(codes).where(codes.c.subject == subject))
    await connection.execute(sa.delete(browsers).where(browsers.c.subject == subject))
    theirs = sa.select(grants.c.id).where(grants.c.subject == subject)
    await connection.execute(sa.delete(access).where(access.c.grant_id.in_(theirs)))
    await connection.execute(sa.delete(grants).where(grants.c.subject == subject))
    return True


def _sealed(ring: KeyRing, subject: str, session: ErpSession) -> dict[str, str | float | None]:
    payload: dict[str, object] = {"token": session.token.get_secret_value(), "renew_at": session.renew_at}
    payload |= {"user": session.user, "company": session.company}
    sealed = ring.seal(json.dumps(payload).encode(), about=_about(subject))
    return {"name": session.name, "sealed": base64.b64encode(sealed).decode(), "expires_at": session.expires_at}


def _about(subject: str) -> str:
    return f"erp token of {subject}"
