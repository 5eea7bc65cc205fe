-- Whether a trunk or vendor is sent nothing of the other side's addresses.
ALTER TABLE voice.vendors ADD COLUMN hide_topology BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE accounts.trunk_groups ADD COLUMN hide_topology BOOLEAN NOT NULL DEFAULT FALSE;
