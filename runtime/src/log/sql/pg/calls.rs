//! Calls on PostgreSQL.

use sqlx::{Postgres, Transaction};
use uuid::Uuid;

use super::{Statement, column};
use crate::log::bulk::calls::{
    PG_DELETE_ATTEMPTS, PG_DELETE_CDRS, PG_DELETE_DIALOGS, PG_INSERT_ATTEMPTS, PG_INSERT_CDRS,
    PG_PUT_DIALOGS, PG_TELL_MEDIA,
};
use crate::log::sql::{bigint, smallint, text};
use crate::log::{Attempt, CallMedia, Calls, Cdr, Dialog, MediaSent};
use crate::store::Error;

/// Gives the number of CDRs that were there already.
pub(super) async fn write(tx: &mut Transaction<'_, Postgres>, calls: &Calls) -> Result<u64, Error> {
    let mut repeated = 0;
    if !calls.dialogs.is_empty() {
        put_dialogs(&calls.dialogs).execute(&mut **tx).await?;
    }
    if !calls.cdrs.is_empty() {
        let written = insert_cdrs(&calls.cdrs).execute(&mut **tx).await?.rows_affected();
        repeated = (calls.cdrs.len() as u64).saturating_sub(written);
    }
    if !calls.attempts.is_empty() {
        insert_attempts(&calls.attempts).execute(&mut **tx).await?;
    }
    if !calls.media.is_empty() {
        tell_media(&calls.media).execute(&mut **tx).await?;
    }
    if !calls.dialogs_done.is_empty() {
        column(sqlx::query(PG_DELETE_DIALOGS), &calls.dialogs_done, |id| *id).execute(&mut **tx).await?;
    }
    if !calls.purged.is_empty() {
        for text in [PG_DELETE_CDRS, PG_DELETE_ATTEMPTS] {
            column(sqlx::query(text), &calls.purged, |id| *id).execute(&mut **tx).await?;
        }
    }
    Ok(repeated)
}

fn put_dialogs(rows: &[Dialog]) -> Statement {
    let query = column(sqlx::query(PG_PUT_DIALOGS), rows, |row| row.id);
    let query = column(query, rows, |row| smallint(row.node));
    let query = column(query, rows, |row| row.answered_at.micros());
    let query = column(query, rows, |row| row.updated_at.micros());
    column(query, rows, |row| row.state.to_vec())
}

fn insert_cdrs(rows: &[Cdr]) -> Statement {
    let query = column(sqlx::query(PG_INSERT_CDRS), rows, |row| row.id);
    let query = column(query, rows, |row| smallint(row.node));
    let query = column(query, rows, |row| row.customer);
    let query = column(query, rows, |row| row.trunk);
    let query = column(query, rows, |row| row.vendor);
    let query = column(query, rows, |row| row.direction.code());
    let query = column(query, rows, |row| row.source.to_string());
    let query = column(query, rows, |row| text(&row.call_id));
    let query = column(query, rows, |row| text(&row.caller));
    let query = column(query, rows, |row| text(&row.callee));
    let query = column(query, rows, |row| text(&row.callee_sent));
    let query = column(query, rows, |row| row.started_at.micros());
    let query = column(query, rows, |row| row.ringing_at.map(|at| at.micros()));
    let query = column(query, rows, |row| row.answered_at.map(|at| at.micros()));
    let query = column(query, rows, |row| row.ended_at.micros());
    let query = column(query, rows, |row| row.pdd_us.map(bigint));
    let query = column(query, rows, |row| bigint(row.duration_ms));
    let query = column(query, rows, |row| i64::from(row.billed_seconds));
    let query = column(query, rows, |row| smallint(row.status));
    let query = column(query, rows, |row| row.reason.code());
    let query = column(query, rows, |row| row.ended_by.code());
    let query = column(query, rows, |row| text(&row.prefix));
    let query = column(query, rows, |row| row.rate.nanos());
    let query = column(query, rows, |row| row.retransmissions.map(i64::from));
    let query = column(query, rows, |row| row.recovered);
    let query = column(query, rows, |row| smallint(row.attempts));
    let query = column(query, rows, |row| row.q850_cause.map(i16::from));
    let query = column(query, rows, |row| row.media.map(|media| i16::from(media.node)));
    let query = sent(query, rows, |row| row.media.map(|media| media.caller).unwrap_or_default());
    let query = sent(query, rows, |row| row.media.map(|media| media.callee).unwrap_or_default());
    let query = column(query, rows, |row| row.identity.verstat.map(|verstat| verstat.code()));
    let query = column(query, rows, |row| row.identity.received.map(|received| received.code()));
    column(query, rows, |row| row.identity.signed.map(|signed| signed.code()))
}

/// The columns of what one side sent.
fn sent<T>(query: Statement, rows: &[T], of: fn(&T) -> MediaSent) -> Statement {
    let query = column(query, rows, |row| of(row).packets.map(bigint));
    let query = column(query, rows, |row| of(row).lost.map(bigint));
    let query = column(query, rows, |row| of(row).jitter_ms.map(i64::from));
    column(query, rows, |row| of(row).mos_tenths.map(i16::from))
}

fn tell_media(rows: &[(Uuid, CallMedia)]) -> Statement {
    let query = column(sqlx::query(PG_TELL_MEDIA), rows, |(call, _)| *call);
    let query = column(query, rows, |(_, media)| i16::from(media.node));
    let query = sent(query, rows, |(_, media)| media.caller);
    sent(query, rows, |(_, media)| media.callee)
}

fn insert_attempts(rows: &[(Uuid, Attempt)]) -> Statement {
    let query = column(sqlx::query(PG_INSERT_ATTEMPTS), rows, |(call, _)| *call);
    let query = column(query, rows, |(_, row)| smallint(row.number));
    let query = column(query, rows, |(_, row)| row.vendor);
    let query = column(query, rows, |(_, row)| text(&row.gateway));
    let query = column(query, rows, |(_, row)| row.started_at.micros());
    let query = column(query, rows, |(_, row)| row.ended_at.micros());
    let query = column(query, rows, |(_, row)| row.pdd_us.map(bigint));
    let query = column(query, rows, |(_, row)| row.status.map(smallint));
    column(query, rows, |(_, row)| row.reason.code())
}
