CREATE TABLE accounts.customers (
    id UUID PRIMARY KEY,
    ban TEXT NOT NULL UNIQUE,
    company_name TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('ACTIVE', 'TRIAL', 'SUSPENDED')),
    type TEXT NOT NULL CHECK (type IN ('PREPAID', 'POSTPAID')),
    services JSONB NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);

-- One row. Every change of configuration data raises it in the same transaction; nodes compare it to reload.
CREATE TABLE accounts.config_version (
    id SMALLINT PRIMARY KEY CHECK (id = 1),
    version BIGINT NOT NULL
);
INSERT INTO accounts.config_version (id, version) VALUES (1, 0);
