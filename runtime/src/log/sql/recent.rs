//! Messages and calls of late. A customer's have an index of their own, so they have statements of their own: one
//! text for both would not use it.

use uuid::Uuid;

use super::read::calls::{CdrRecord, cdr};
use super::read::{MessageRecord, messages};
use crate::log::bulk::calls::{CDRS, CDRS_OF_CUSTOMER};
use crate::log::bulk::{MDRS, MDRS_OF_CUSTOMER};
use crate::log::filter::digits;
use crate::log::{Cdr, CdrFilter, MdrFilter, MessageRow};
use crate::store::{Db, Error, fetch_all};

pub(super) async fn mdrs(
    db: &Db,
    filter: &MdrFilter,
    (before, limit): (i64, u32),
) -> Result<Vec<MessageRow>, Error> {
    let (first, before) = filter.ids(before);
    let (lowest, highest) = filter.states();
    let direction = filter.direction.map(|direction| direction as i16);
    let (destination, source) = (asked(&filter.destination_prefix), asked(&filter.source_prefix));
    let (account, vendor, limit) = (filter.account, filter.vendor, i64::from(limit));
    let rows: Vec<MessageRecord> = match filter.customer {
        None => fetch_all!(
            db,
            MessageRecord,
            MDRS,
            before,
            first,
            lowest,
            highest,
            direction,
            account,
            destination,
            source,
            vendor,
            limit
        )?,
        Some(customer) => fetch_all!(
            db,
            MessageRecord,
            MDRS_OF_CUSTOMER,
            before,
            first,
            lowest,
            highest,
            direction,
            account,
            destination,
            source,
            vendor,
            limit,
            customer
        )?,
    };
    messages(rows)
}

pub(super) async fn cdrs(
    db: &Db,
    filter: &CdrFilter,
    (before, limit): (Uuid, u32),
) -> Result<Vec<Cdr>, Error> {
    let (first, before) = filter.ids(before);
    let (lowest, highest) = filter.statuses();
    let (caller, callee) = (asked(&filter.caller_prefix), asked(&filter.callee_prefix));
    let (trunk, vendor, limit) = (filter.trunk, filter.vendor, i64::from(limit));
    let rows: Vec<CdrRecord> = match filter.customer {
        None => fetch_all!(
            db, CdrRecord, CDRS, before, first, trunk, vendor, lowest, highest, caller, callee, limit
        )?,
        Some(customer) => fetch_all!(
            db,
            CdrRecord,
            CDRS_OF_CUSTOMER,
            before,
            first,
            trunk,
            vendor,
            lowest,
            highest,
            caller,
            callee,
            limit,
            customer
        )?,
    };
    rows.into_iter().map(cdr).collect()
}

/// PostgreSQL refuses NUL in text; no stored number has one.
fn asked(prefix: &str) -> String {
    digits(prefix).replace('\0', "")
}
