"""The tables of a team's sign-in, and what every query of them shares: hashes, and the removal of what has expired.

They stand in the journal's database, beside it (`migrations`, step 4), since replicas share that one. Only the store's
files load SQLAlchemy here: the wall around it is lifted for them because whoever signs in must be known to every
replica, and the journal is where a second database is not needed for it.
"""

import hashlib
import secrets

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["access", "attempts", "browsers", "clients", "codes", "grants", "hashed", "inserted", "metadata", "people"]
__all__ += ["secret", "sweep"]

_SWEPT = 20  # at a time, so that no call pays for what many have left

metadata = sa.MetaData()
people = sa.Table(
    "team_people",
    metadata,
    sa.Column("subject", sa.String(320), primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("sealed", sa.Text, nullable=False),  # the ERP's token; empty once it is dead
    sa.Column("expires_at", sa.Float(53)),  # of that token, where the ERP says so
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("renewer", sa.String(80), nullable=False),
    sa.Column("renew_until", sa.Float(53), nullable=False),
)
# What a person allowed a client: one for each consent, until it is revoked or unused for long. A row is what makes
# its tokens good, so that revoking is to remove it.
grants = sa.Table(
    "team_grants",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("subject", sa.String(320), nullable=False, index=True),
    sa.Column("client_id", sa.Text, nullable=False),
    sa.Column("scopes", sa.String(80), nullable=False),
    sa.Column("resource", sa.Text, nullable=False),
    sa.Column("code_hash", sa.String(64), nullable=False, index=True, unique=True),
    sa.Column("seed", sa.String(64), nullable=False),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("refresh_hash", sa.String(64), nullable=False),
    sa.Column("made_at", sa.Float(53), nullable=False),
    sa.Column("expires_at", sa.Float(53), nullable=False, index=True),
)
access = sa.Table(
    "team_access",
    metadata,
    sa.Column("hash", sa.String(64), primary_key=True),
    sa.Column("grant_id", sa.String(32), nullable=False, index=True),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("scopes", sa.String(80), nullable=False),
    sa.Column("made_at", sa.Float(53), nullable=False),
    sa.Column("expires_at", sa.Float(53), nullable=False, index=True),
)
codes = sa.Table(
    "team_codes",
    metadata,
    sa.Column("hash", sa.String(64), primary_key=True),
    sa.Column("subject", sa.String(320), nullable=False, index=True),
    sa.Column("client_id", sa.Text, nullable=False),
    sa.Column("scopes", sa.String(80), nullable=False),
    sa.Column("resource", sa.Text, nullable=False),
    sa.Column("redirect_uri", sa.Text, nullable=False),
    sa.Column("redirect_named", sa.Integer, nullable=False),
    sa.Column("challenge", sa.String(64), nullable=False),
    sa.Column("expires_at", sa.Float(53), nullable=False, index=True),
)
browsers = sa.Table(
    "team_browsers",
    metadata,
    sa.Column("hash", sa.String(64), primary_key=True),
    sa.Column("subject", sa.String(320), nullable=False, index=True),
    sa.Column("ends_at", sa.Float(53), nullable=False),
    sa.Column("expires_at", sa.Float(53), nullable=False, index=True),  # sooner, for a browser that nobody uses
)
attempts = sa.Table(
    "team_attempts",
    metadata,
    sa.Column("bucket", sa.String(64), primary_key=True),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("open_at", sa.Float(53), nullable=False),
    sa.Column("expires_at", sa.Float(53), nullable=False, index=True),
)
clients = sa.Table(
    "team_clients",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("document", sa.Text, nullable=False),
    sa.Column("expires_at", sa.Float(53), nullable=False, index=True),
)


def hashed(text: str) -> str:
    """What is kept of a secret of ours. It has 256 bits of chance, so that a plain hash tells nothing."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def secret() -> str:
    return secrets.token_urlsafe(32)


async def inserted(connection: AsyncConnection, table: sa.Table, **values: object) -> bool:
    """Whether the row is in now; False where there is one with its key."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    return (await connection.execute(insert(table).values(**values).on_conflict_do_nothing())).rowcount == 1


async def sweep(connection: AsyncConnection, table: sa.Table, now: float) -> None:
    """Remove a few rows that have expired, passing over those that somebody else is at."""
    (key,) = table.primary_key
    expired = sa.select(key).where(table.c.expires_at <= now).limit(_SWEPT).with_for_update(skip_locked=True)
    await connection.execute(sa.delete(table).where(key.in_(expired)))
