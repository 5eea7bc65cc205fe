-- Which number counts as the caller's, and what peers are told of who calls, by trunk and by vendor. One object;
-- what it does not say is the default.
ALTER TABLE accounts.trunk_groups ADD COLUMN identity JSONB NOT NULL DEFAULT '{}';
ALTER TABLE voice.vendors ADD COLUMN identity JSONB NOT NULL DEFAULT '{}';
