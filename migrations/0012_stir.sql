-- STIR/SHAKEN: what is done with the Identity that calls come with (RFC 8224), which calls are signed, and the most that
-- is said of a trunk's callers then (RFC 8588).
ALTER TABLE accounts.trunk_groups ADD COLUMN verify_identity TEXT NOT NULL DEFAULT 'off'
    CHECK (verify_identity IN ('off', 'note', 'refuse'));
ALTER TABLE accounts.trunk_groups ADD COLUMN attestation_max TEXT NOT NULL DEFAULT 'A'
    CHECK (attestation_max IN ('A', 'B', 'C'));
ALTER TABLE voice.vendors ADD COLUMN verify_identity TEXT NOT NULL DEFAULT 'off'
    CHECK (verify_identity IN ('off', 'note', 'refuse'));
ALTER TABLE voice.vendors ADD COLUMN sign_calls BOOLEAN NOT NULL DEFAULT FALSE;
