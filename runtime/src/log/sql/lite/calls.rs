//! Calls on SQLite.

use sqlx::SqliteConnection;
use uuid::Uuid;

use super::{Statement, write_rows};
use crate::log::bulk::calls::{
    DELETE_ATTEMPTS, DELETE_CDRS, DELETE_DIALOGS, INSERT_ATTEMPTS, INSERT_CDRS, PUT_DIALOGS, TELL_MEDIA,
};
use crate::log::sql::{bigint, smallint, text};
use crate::log::{Attempt, CallMedia, Calls, Cdr, Dialog, MediaSent};
use crate::store::Error;

/// Lengths of what [`write`] writes with one bulk statement each.
pub(super) fn bulks(calls: &Calls) -> [usize; 7] {
    [
        calls.dialogs.len(),
        calls.cdrs.len(),
        calls.attempts.len(),
        calls.media.len(),
        calls.dialogs_done.len(),
        calls.purged.len(),
        calls.purged.len(),
    ]
}

/// Gives the number of CDRs that were there already.
pub(super) async fn write(to: &mut SqliteConnection, calls: &Calls) -> Result<u64, Error> {
    write_rows(to, &PUT_DIALOGS, &calls.dialogs, bind_dialog).await?;
    let written = write_rows(to, &INSERT_CDRS, &calls.cdrs, bind_cdr).await?;
    write_rows(to, &INSERT_ATTEMPTS, &calls.attempts, bind_attempt).await?;
    write_rows(to, &TELL_MEDIA, &calls.media, bind_media).await?;
    write_rows(to, &DELETE_DIALOGS, &calls.dialogs_done, |query, id| query.bind(*id)).await?;
    write_rows(to, &DELETE_CDRS, &calls.purged, |query, id| query.bind(*id)).await?;
    write_rows(to, &DELETE_ATTEMPTS, &calls.purged, |query, id| query.bind(*id)).await?;
    Ok((calls.cdrs.len() as u64).saturating_sub(written))
}

fn bind_dialog(query: Statement, row: &Dialog) -> Statement {
    query
        .bind(row.id)
        .bind(smallint(row.node))
        .bind(row.answered_at.micros())
        .bind(row.updated_at.micros())
        .bind(row.state.to_vec())
}

fn bind_cdr(query: Statement, row: &Cdr) -> Statement {
    let query = query
        .bind(row.id)
        .bind(smallint(row.node))
        .bind(row.customer)
        .bind(row.trunk)
        .bind(row.vendor)
        .bind(row.direction.code())
        .bind(row.source.to_string())
        .bind(text(&row.call_id))
        .bind(text(&row.caller))
        .bind(text(&row.callee))
        .bind(text(&row.callee_sent))
        .bind(row.started_at.micros())
        .bind(row.ringing_at.map(|at| at.micros()))
        .bind(row.answered_at.map(|at| at.micros()))
        .bind(row.ended_at.micros())
        .bind(row.pdd_us.map(bigint))
        .bind(bigint(row.duration_ms))
        .bind(i64::from(row.billed_seconds))
        .bind(smallint(row.status))
        .bind(row.reason.code())
        .bind(row.ended_by.code())
        .bind(text(&row.prefix))
        .bind(row.rate.nanos())
        .bind(row.retransmissions.map(i64::from))
        .bind(row.recovered)
        .bind(smallint(row.attempts))
        .bind(row.q850_cause.map(i16::from))
        .bind(row.media.map(|media| i16::from(media.node)));
    let query = bind_sent(query, row.media.map(|media| media.caller));
    bind_sent(query, row.media.map(|media| media.callee))
        .bind(row.identity.verstat.map(|verstat| verstat.code()))
        .bind(row.identity.received.map(|received| received.code()))
        .bind(row.identity.signed.map(|signed| signed.code()))
}

fn bind_sent(query: Statement, sent: Option<MediaSent>) -> Statement {
    let sent = sent.unwrap_or_default();
    query
        .bind(sent.packets.map(bigint))
        .bind(sent.lost.map(bigint))
        .bind(sent.jitter_ms.map(i64::from))
        .bind(sent.mos_tenths.map(i16::from))
}

fn bind_media(query: Statement, (call, media): &(Uuid, CallMedia)) -> Statement {
    let query = query.bind(*call).bind(i16::from(media.node));
    bind_sent(bind_sent(query, Some(media.caller)), Some(media.callee))
}

fn bind_attempt(query: Statement, (call, row): &(Uuid, Attempt)) -> Statement {
    query
        .bind(*call)
        .bind(smallint(row.number))
        .bind(row.vendor)
        .bind(text(&row.gateway))
        .bind(row.started_at.micros())
        .bind(row.ended_at.micros())
        .bind(row.pdd_us.map(bigint))
        .bind(row.status.map(smallint))
        .bind(row.reason.code())
}
