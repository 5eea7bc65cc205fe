-- How calls go to what a trunk has registered: to one contact after the other, or to all of them at once.
ALTER TABLE accounts.trunk_groups ADD COLUMN fork TEXT NOT NULL DEFAULT 'serial'
    CHECK (fork IN ('serial', 'parallel'));
