//! What the log has of late: messages and calls, the newest first.

use uuid::Uuid;

use super::MessageLog;
use crate::log::{Cdr, CdrFilter, MdrFilter, MessageRow};
use crate::store::Error;

/// Rows of one page at most.
const PAGE_MAX: u32 = 1000;

impl MessageLog {
    /// Durable CDRs that began before the call `before` (none: the newest), newest first, at most `limit` and 1000.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn recent_cdrs(&self, limit: u32, before: Option<Uuid>) -> Result<Vec<Cdr>, Error> {
        self.recent_cdrs_by(&CdrFilter::default(), limit, before).await
    }

    /// [`MessageLog::recent_cdrs`] of those that the filter takes.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn recent_cdrs_by(
        &self,
        filter: &CdrFilter,
        limit: u32,
        before: Option<Uuid>,
    ) -> Result<Vec<Cdr>, Error> {
        self.0.store.cdrs(filter, before.unwrap_or(Uuid::max()), limit.min(PAGE_MAX)).await
    }

    /// Durable messages that the filter takes with ids below `before` (none: the newest), newest first, at most
    /// `limit` and 1000; no part of a message that we split.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn recent_mdrs(
        &self,
        filter: &MdrFilter,
        limit: u32,
        before: Option<i64>,
    ) -> Result<Vec<MessageRow>, Error> {
        self.0.store.mdrs(filter, before.unwrap_or(i64::MAX), limit.min(PAGE_MAX)).await
    }
}
