ALTER TABLE writes ADD COLUMN asker VARCHAR(120) DEFAULT '' NOT NULL;
CREATE INDEX ix_writes_asker ON writes (asker);
UPDATE head SET version = 2;
