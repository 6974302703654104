-- The tables of schema version 1 on SQLite, as the program of that version made them.
CREATE TABLE writes (
    id VARCHAR(32) NOT NULL,
    "key" VARCHAR(64) NOT NULL,
    identity TEXT NOT NULL,
    state VARCHAR(24) NOT NULL,
    created_at FLOAT NOT NULL,
    updated_at FLOAT NOT NULL,
    expires_at FLOAT NOT NULL,
    digest VARCHAR(64) NOT NULL,
    "plan" TEXT NOT NULL,
    asked_by TEXT NOT NULL,
    owner VARCHAR(80) NOT NULL,
    lease_until FLOAT NOT NULL,
    token_hash VARCHAR(64) NOT NULL,
    outcome TEXT NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX ix_writes_key ON writes ("key");
CREATE INDEX ix_writes_state ON writes (state);
CREATE TABLE events (
    seq BIGINT NOT NULL,
    write_id VARCHAR(32) NOT NULL,
    at FLOAT NOT NULL,
    kind VARCHAR(24) NOT NULL,
    detail TEXT NOT NULL,
    hash VARCHAR(64) NOT NULL,
    PRIMARY KEY (seq)
);
CREATE INDEX ix_events_write_id ON events (write_id);
CREATE TABLE head (
    id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    seq BIGINT NOT NULL,
    hash VARCHAR(64) NOT NULL,
    PRIMARY KEY (id)
);
