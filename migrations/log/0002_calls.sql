-- Calls. The id of a call is its dialog's, a UUID of version 7: the time of its INVITE is in its high bits, so rows
-- are appended in order, pages go by it, and retention begins with the oldest. Times are Unix microseconds.

-- One row per call that is up: what a process needs to serve it after the one that answered it is gone. Written at
-- the answer and when a target changes, deleted by the commit that writes the CDR. Pages of one node go by id: there
-- are few rows, and they are read at a start only.
CREATE TABLE voice.dialogs (
    id UUID PRIMARY KEY,
    node SMALLINT NOT NULL,
    answered_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    state BYTEA NOT NULL
);

-- One row per call that ended, answered or not.
-- direction: 0 outbound (customer to vendor), 1 inbound. ended_by: 0 caller, 1 callee, 2 system.
-- reason: 0 answered, 1 busy, 2 no_answer, 3 rejected, 4 cancelled, 5 timeout, 6 no_route, 7 capacity,
-- 8 max_duration, 9 dead_call, 10 recovered, 11 operator, 12 media_failed, 13 vendor_failed, 14 unreachable,
-- 15 not_allowed.
-- rate: nano-units of money per minute, the vendor's. duration_ms by a monotonic clock, but for recovered calls.
CREATE TABLE voice.cdrs (
    id UUID PRIMARY KEY,
    node SMALLINT NOT NULL,
    customer_id UUID NOT NULL,
    trunk_id UUID NOT NULL,
    vendor_id UUID,
    direction SMALLINT NOT NULL,
    source TEXT NOT NULL,
    call_id TEXT NOT NULL,
    caller TEXT NOT NULL,
    callee TEXT NOT NULL,
    callee_sent TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    ringing_at BIGINT,
    answered_at BIGINT,
    ended_at BIGINT NOT NULL,
    pdd_us BIGINT,
    duration_ms BIGINT NOT NULL,
    billed_seconds BIGINT NOT NULL,
    status SMALLINT NOT NULL,
    reason SMALLINT NOT NULL,
    ended_by SMALLINT NOT NULL,
    prefix TEXT NOT NULL,
    rate BIGINT NOT NULL,
    retransmissions BIGINT,
    recovered BOOLEAN NOT NULL,
    attempts SMALLINT NOT NULL
);

-- One row per vendor tried for a call; status is NULL when the vendor gave no final response.
CREATE TABLE voice.call_attempts (
    call_id UUID NOT NULL,
    number SMALLINT NOT NULL,
    vendor_id UUID NOT NULL,
    gateway TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT NOT NULL,
    pdd_us BIGINT,
    status SMALLINT,
    reason SMALLINT NOT NULL,
    PRIMARY KEY (call_id, number)
);

CREATE VIEW voice.cdrs_recent AS
SELECT id, customer_id, trunk_id, vendor_id, direction, source, call_id, caller, callee, callee_sent, started_at,
       ringing_at, answered_at, ended_at, pdd_us, duration_ms, billed_seconds, status, reason, ended_by, prefix, rate,
       recovered, attempts
FROM voice.cdrs;
