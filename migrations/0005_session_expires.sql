-- Milliseconds within which the calls of a trunk or vendor are to be refreshed (RFC 4028); 0 asks for nothing.
ALTER TABLE voice.vendors ADD COLUMN session_expires BIGINT NOT NULL DEFAULT 0 CHECK (session_expires >= 0);
ALTER TABLE accounts.trunk_groups ADD COLUMN session_expires BIGINT NOT NULL DEFAULT 0 CHECK (session_expires >= 0);
