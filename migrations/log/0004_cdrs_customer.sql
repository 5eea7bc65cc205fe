-- What a customer has of late, newest first.
CREATE INDEX CONCURRENTLY cdrs_customer ON voice.cdrs (customer_id, id);
