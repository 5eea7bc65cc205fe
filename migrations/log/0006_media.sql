-- What the media node of a call counted, by who sent it: packets that came from that side, and, as those report who
-- receive them, packets lost, mean jitter and mean opinion score in tenths. media_node is NULL where none carried the
-- call while it was up; the rest is NULL where the node has not told it, or not in time.
ALTER TABLE voice.cdrs ADD COLUMN media_node SMALLINT;
ALTER TABLE voice.cdrs ADD COLUMN caller_packets BIGINT;
ALTER TABLE voice.cdrs ADD COLUMN caller_lost BIGINT;
ALTER TABLE voice.cdrs ADD COLUMN caller_jitter_ms BIGINT;
ALTER TABLE voice.cdrs ADD COLUMN caller_mos_tenths SMALLINT;
ALTER TABLE voice.cdrs ADD COLUMN callee_packets BIGINT;
ALTER TABLE voice.cdrs ADD COLUMN callee_lost BIGINT;
ALTER TABLE voice.cdrs ADD COLUMN callee_jitter_ms BIGINT;
ALTER TABLE voice.cdrs ADD COLUMN callee_mos_tenths SMALLINT;
