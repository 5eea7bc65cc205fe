-- Cause of Q.850, 0 to 127, in the Reason of the final response or the BYE (RFC 3326); NULL where none was given.
ALTER TABLE voice.cdrs ADD COLUMN q850_cause SMALLINT;
