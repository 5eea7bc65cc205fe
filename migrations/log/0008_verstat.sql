-- STIR/SHAKEN of a call. verstat: 0 passed, 1 failed, 2 no validation; NULL where it was not asked for. The attestations
-- are 0 A, 1 B, 2 C: what the signer of the call said of its caller, where that was right, and what was said when it was
-- signed here for the vendor that had it last.
ALTER TABLE voice.cdrs ADD COLUMN verstat SMALLINT;
ALTER TABLE voice.cdrs ADD COLUMN attestation_received SMALLINT;
ALTER TABLE voice.cdrs ADD COLUMN attestation_signed SMALLINT;
