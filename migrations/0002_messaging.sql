CREATE TABLE messaging.esme_accounts (
    id UUID PRIMARY KEY,
    system_id TEXT NOT NULL UNIQUE,
    customer_id UUID NOT NULL REFERENCES accounts.customers (id),
    password_hash TEXT NOT NULL,
    active BOOLEAN NOT NULL,
    binds_max BIGINT NOT NULL CHECK (binds_max BETWEEN 1 AND 1000),
    bind_modes TEXT NOT NULL,
    "window" BIGINT NOT NULL CHECK ("window" BETWEEN 1 AND 10000),
    throughput BIGINT NOT NULL CHECK (throughput >= 0),
    ip_whitelist JSONB NOT NULL,
    default_alphabet TEXT NOT NULL CHECK (default_alphabet IN ('gsm7', 'ascii', 'latin1')),
    message_id_format TEXT NOT NULL CHECK (message_id_format IN ('hex', 'decimal')),
    transcode BOOLEAN NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE messaging.vendors (
    id UUID PRIMARY KEY,
    instance_name TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL,
    provider_type TEXT NOT NULL,
    host TEXT NOT NULL,
    port BIGINT NOT NULL CHECK (port BETWEEN 1 AND 65535),
    tls BOOLEAN NOT NULL,
    tls_ca TEXT NOT NULL,
    bind_type TEXT NOT NULL CHECK (bind_type IN ('transceiver', 'transmitter', 'receiver')),
    system_id TEXT NOT NULL,
    password_sealed BYTEA NOT NULL,
    system_type TEXT NOT NULL,
    binds BIGINT NOT NULL CHECK (binds BETWEEN 1 AND 100),
    "window" BIGINT NOT NULL CHECK ("window" BETWEEN 1 AND 10000),
    throughput_limit BIGINT NOT NULL CHECK (throughput_limit >= 0),
    priority BIGINT NOT NULL,
    active BOOLEAN NOT NULL,
    default_alphabet TEXT NOT NULL CHECK (default_alphabet IN ('gsm7', 'ascii', 'latin1')),
    queue_depth_max BIGINT NOT NULL CHECK (queue_depth_max BETWEEN 1 AND 10000000),
    receipts TEXT NOT NULL CHECK (receipts IN ('asked', 'always')),
    long_messages TEXT NOT NULL CHECK (long_messages IN ('split', 'payload')),
    retryable_statuses JSONB NOT NULL,
    capabilities JSONB NOT NULL,
    health_status TEXT NOT NULL,
    last_health_check TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE messaging.routes (
    id UUID PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    prefix TEXT NOT NULL,
    source_prefix TEXT NOT NULL,
    customer_id UUID REFERENCES accounts.customers (id),
    vendor_id UUID NOT NULL REFERENCES messaging.vendors (id),
    priority BIGINT NOT NULL,
    cost BIGINT NOT NULL CHECK (cost >= 0),
    weight BIGINT NOT NULL CHECK (weight BETWEEN 0 AND 10000),
    uncertain TEXT NOT NULL CHECK (uncertain IN ('retry', 'hold')),
    active BOOLEAN NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);

-- Limits that hold over all ESME accounts of one customer.
CREATE TABLE messaging.customer_config (
    customer_id UUID PRIMARY KEY REFERENCES accounts.customers (id),
    throughput BIGINT NOT NULL CHECK (throughput >= 0),
    outbox_max BIGINT NOT NULL CHECK (outbox_max BETWEEN 1 AND 100000000),
    updated_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE voice.dids (
    id UUID PRIMARY KEY,
    number TEXT NOT NULL UNIQUE,
    customer_id UUID REFERENCES accounts.customers (id),
    esme_account_id UUID REFERENCES messaging.esme_accounts (id),
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);
