ALTER TABLE writes ADD COLUMN batch VARCHAR(32) DEFAULT '' NOT NULL;
ALTER TABLE writes ADD COLUMN position INTEGER DEFAULT 0 NOT NULL;
CREATE INDEX ix_writes_batch ON writes (batch);
UPDATE head SET version = 3;
