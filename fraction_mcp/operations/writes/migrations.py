"""The journal's schema: every version that was ever released, as the steps that lead from nothing to the newest.

The list is append-only: a released step is never edited, and a new one only adds (a column with a default, a table, an
index), so that a process of an older version that is still running goes on undisturbed. A fresh journal takes every
step, an older one those that it lacks, in one transaction; so both end up the same.
"""

from typing import TYPE_CHECKING, Any

from fraction_mcp.errors import ConfigError

if TYPE_CHECKING:
    import sqlalchemy as sa

__all__ = ["GENESIS", "STEPS", "VERSION", "brought_up", "refuse_newer", "refuse_older", "version_of"]

GENESIS = "0" * 64
"""What the first event is chained to."""

# What the two databases call a 64-bit float, and a key that counts itself up.
_DIALECTS = {
    "sqlite": {"double": "FLOAT", "serial": "INTEGER", "genesis": GENESIS},
    "postgresql": {"double": "DOUBLE PRECISION", "serial": "SERIAL", "genesis": GENESIS},
}

STEPS: tuple[tuple[str, ...], ...] = (
    # 1
    (
        """CREATE TABLE writes (
            id VARCHAR(32) NOT NULL PRIMARY KEY,
            "key" VARCHAR(64) NOT NULL,
            identity TEXT NOT NULL,
            state VARCHAR(24) NOT NULL,
            created_at {double} NOT NULL,
            updated_at {double} NOT NULL,
            expires_at {double} NOT NULL,
            digest VARCHAR(64) NOT NULL,
            "plan" TEXT NOT NULL,
            asked_by TEXT NOT NULL,
            owner VARCHAR(80) NOT NULL,
            lease_until {double} NOT NULL,
            token_hash VARCHAR(64) NOT NULL,
            outcome TEXT NOT NULL
        )""",
        'CREATE INDEX ix_writes_key ON writes ("key")',
        "CREATE INDEX ix_writes_state ON writes (state)",
        """CREATE TABLE events (
            seq BIGINT NOT NULL PRIMARY KEY,
            write_id VARCHAR(32) NOT NULL,
            at {double} NOT NULL,
            kind VARCHAR(24) NOT NULL,
            detail TEXT NOT NULL,
            hash VARCHAR(64) NOT NULL
        )""",
        "CREATE INDEX ix_events_write_id ON events (write_id)",
        """CREATE TABLE head (
            id {serial} NOT NULL PRIMARY KEY,
            version INTEGER NOT NULL,
            seq BIGINT NOT NULL,
            hash VARCHAR(64) NOT NULL
        )""",
        "INSERT INTO head (id, version, seq, hash) VALUES (1, 1, 0, '{genesis}')",
    ),
    # 2: who asks, for the limit of open proposals that one asker may have
    (
        "ALTER TABLE writes ADD COLUMN asker VARCHAR(120) DEFAULT '' NOT NULL",
        "CREATE INDEX ix_writes_asker ON writes (asker)",
    ),
    # 3: what was asked for under one question, and in which order
    (
        "ALTER TABLE writes ADD COLUMN batch VARCHAR(32) DEFAULT '' NOT NULL",
        "ALTER TABLE writes ADD COLUMN position INTEGER DEFAULT 0 NOT NULL",
        "CREATE INDEX ix_writes_batch ON writes (batch)",
    ),
    # 4: who signed in to a team's server, and what clients were given (server/team/store_tables.py); no secret is in it
    # that opens anything without FRACTION_MCP_SECRET_KEY
    (
        """CREATE TABLE team_people (
            subject VARCHAR(320) NOT NULL PRIMARY KEY,
            name TEXT NOT NULL,
            sealed TEXT NOT NULL,
            expires_at {double},
            version INTEGER NOT NULL,
            renewer VARCHAR(80) NOT NULL,
            renew_until {double} NOT NULL
        )""",
        """CREATE TABLE team_grants (
            id VARCHAR(32) NOT NULL PRIMARY KEY,
            subject VARCHAR(320) NOT NULL,
            client_id TEXT NOT NULL,
            scopes VARCHAR(80) NOT NULL,
            resource TEXT NOT NULL,
            code_hash VARCHAR(64) NOT NULL,
            seed VARCHAR(64) NOT NULL,
            generation INTEGER NOT NULL,
            refresh_hash VARCHAR(64) NOT NULL,
            made_at {double} NOT NULL,
            expires_at {double} NOT NULL
        )""",
        "CREATE INDEX ix_team_grants_subject ON team_grants (subject)",
        "CREATE UNIQUE INDEX ix_team_grants_code_hash ON team_grants (code_hash)",
        "CREATE INDEX ix_team_grants_expires_at ON team_grants (expires_at)",
        """CREATE TABLE team_access (
            hash VARCHAR(64) NOT NULL PRIMARY KEY,
            grant_id VARCHAR(32) NOT NULL,
            generation INTEGER NOT NULL,
            scopes VARCHAR(80) NOT NULL,
            made_at {double} NOT NULL,
            expires_at {double} NOT NULL
        )""",
        "CREATE INDEX ix_team_access_grant_id ON team_access (grant_id)",
        "CREATE INDEX ix_team_access_expires_at ON team_access (expires_at)",
        """CREATE TABLE team_codes (
            hash VARCHAR(64) NOT NULL PRIMARY KEY,
            subject VARCHAR(320) NOT NULL,
            client_id TEXT NOT NULL,
            scopes VARCHAR(80) NOT NULL,
            resource TEXT NOT NULL,
            redirect_uri TEXT NOT NULL,
            redirect_named INTEGER NOT NULL,
            challenge VARCHAR(64) NOT NULL,
            expires_at {double} NOT NULL
        )""",
        "CREATE INDEX ix_team_codes_subject ON team_codes (subject)",
        "CREATE INDEX ix_team_codes_expires_at ON team_codes (expires_at)",
        """CREATE TABLE team_browsers (
            hash VARCHAR(64) NOT NULL PRIMARY KEY,
            subject VARCHAR(320) NOT NULL,
            ends_at {double} NOT NULL,
            expires_at {double} NOT NULL
        )""",
        "CREATE INDEX ix_team_browsers_subject ON team_browsers (subject)",
        "CREATE INDEX ix_team_browsers_expires_at ON team_browsers (expires_at)",
        """CREATE TABLE team_attempts (
            bucket VARCHAR(64) NOT NULL PRIMARY KEY,
            tries INTEGER NOT NULL,
            open_at {double} NOT NULL,
            expires_at {double} NOT NULL
        )""",
        "CREATE INDEX ix_team_attempts_expires_at ON team_attempts (expires_at)",
        """CREATE TABLE team_clients (
            id VARCHAR(64) NOT NULL PRIMARY KEY,
            document TEXT NOT NULL,
            expires_at {double} NOT NULL
        )""",
        "CREATE INDEX ix_team_clients_expires_at ON team_clients (expires_at)",
    ),
    # 5: whose yes a write needs
    ("ALTER TABLE writes ADD COLUMN approvers TEXT DEFAULT '' NOT NULL",),
)
VERSION = len(STEPS)

# An arbitrary number that nothing else in the database should use: PostgreSQL's advisory lock for changing the schema.
_LOCK = 0x66_6D_63_70


def version_of(connection: "sa.Connection") -> int:
    """The version of the schema that is there; 0 where there is no journal yet. Raises ConfigError for what is none."""
    dialect = connection.dialect
    if not dialect.has_table(connection, "head"):
        for name in ("writes", "events"):
            if dialect.has_table(connection, name):
                raise ConfigError(
                    f"the database holds a table {name!r} that is not this program's: give the journal one of its own"
                )
        return 0
    versions = connection.exec_driver_sql("SELECT version FROM head").scalars().all()
    if len(versions) != 1 or not isinstance(versions[0], int) or versions[0] < 1:
        raise ConfigError(
            "the journal has lost its head, the one row that holds its version and the end of its chain of events: "
            "restore it from a backup"
        )
    return versions[0]


def refuse_newer(version: int) -> None:
    """Raises ConfigError for a schema that this program does not know."""
    if version > VERSION:
        raise ConfigError(
            f"the journal's schema is version {version}, and this fraction-mcp knows versions up to {VERSION}: "
            "upgrade fraction-mcp, as the one that changed the journal was"
        )


def refuse_older(version: int) -> None:
    """Raises ConfigError for a schema that lacks steps, where it is not this process that may take them."""
    if version < VERSION:
        raise ConfigError(
            f"the journal's schema is version {version}, and this fraction-mcp needs {VERSION}: run "
            "`fraction-mcp migrate` once, with the same settings; servers of the older version go on meanwhile, and "
            "must be upgraded before they are started again"
        )


def brought_up(connection: "sa.Connection") -> int:
    """Take the steps that the journal lacks, and return the version that it had. Call in a transaction of its own.

    Waits for whoever is doing the same, and then finds nothing left to do.
    """
    if connection.dialect.name == "postgresql":  # on SQLite, the transaction holds the write lock from its start
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
    before = version_of(connection)
    refuse_newer(before)
    if before and connection.dialect.name == "postgresql":  # first of all, as every transaction of a journal does
        connection.exec_driver_sql("SELECT id FROM head FOR UPDATE")
    words: dict[str, Any] = _DIALECTS[connection.dialect.name]
    for step in STEPS[before:]:
        for statement in step:
            connection.exec_driver_sql(statement.format(**words))
    if before < VERSION:
        connection.exec_driver_sql(f"UPDATE head SET version = {VERSION}")  # noqa: S608 - a number of ours
    return before
