-- What trunks with auth_type DIGEST or BOTH say who they are by. ha1_sealed is in place of the password, which is kept
-- nowhere: digests of username, realm and password (RFC 7616, RFC 8760), sealed for the trunk.
CREATE TABLE accounts.trunk_credentials (
    trunk_group_id UUID PRIMARY KEY REFERENCES accounts.trunk_groups (id),
    username TEXT NOT NULL UNIQUE,
    realm TEXT NOT NULL,
    ha1_sealed BYTEA NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);
