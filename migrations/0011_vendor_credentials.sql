-- What vendors that ask by digest who calls are told. ha1_sealed is in place of the password, which is kept nowhere:
-- digests of username, realm and password (RFC 7616, RFC 8760), sealed for the vendor. registration is an object, null
-- where the vendor wants none.
CREATE TABLE voice.vendor_credentials (
    vendor_id UUID PRIMARY KEY REFERENCES voice.vendors (id),
    username TEXT NOT NULL,
    realm TEXT NOT NULL,
    ha1_sealed BYTEA NOT NULL,
    registration JSONB,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);
