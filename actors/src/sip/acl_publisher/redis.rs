//! The connection to Redis: what is there, what is to be there. Bounded in time by the configured timeout for each
//! exchange, in size by [`PIPELINE`].

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use fred::interfaces::{HashesInterface as _, KeysInterface as _};
use fred::types::Key;
use uuid::Uuid;

use super::entry::{self, Changes, Entries, FIELDS, PREFIX};
pub(super) use crate::redis::Error;
use crate::redis::{Connection, Options, is_no_hash, unexpected};

/// Commands that are under way at one time.
const PIPELINE: usize = 500;

/// What was done.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) written: u64,
    pub(super) deleted: u64,
}

/// One connection; it is closed with this value, and what it was to do is left.
pub(super) struct Redis(Connection);

impl Redis {
    pub(super) async fn connect(options: &Options) -> Result<Self, Error> {
        Ok(Self(Connection::connect(options).await?))
    }

    /// Ends when the connection does; not to be asked again then.
    pub(super) async fn lost(&mut self) -> Error {
        self.0.lost().await
    }

    /// Whether it answers.
    pub(super) async fn ping(&self) -> Result<(), Error> {
        self.0.ping().await
    }

    /// Reads all that is there and makes it what is wanted.
    pub(super) async fn repair(&self, wanted: &Arc<Entries>) -> Result<Done, Error> {
        let mut right = HashSet::with_capacity(wanted.len());
        let mut deleted = 0;
        let mut cursor = "0".to_owned();
        loop {
            let pattern = format!("{PREFIX}*");
            let count = u32::try_from(PIPELINE).ok();
            let (next, keys): (String, Vec<Key>) =
                self.0.client.scan_page(cursor, pattern, count, None).await?;
            // A page has more keys than was asked for, now and then.
            for keys in keys.chunks(PIPELINE) {
                let surplus = self.compare(keys, wanted, &mut right).await?;
                deleted += self.delete(surplus).await?;
            }
            if next == "0" {
                break;
            }
            cursor = next;
        }
        let entries = Arc::clone(wanted);
        let changes = off_path(move || Changes::beside(&right, &entries)).await?;
        Ok(Done { deleted, ..self.write(&changes, wanted).await? })
    }

    /// Makes what was published before what is wanted now.
    pub(super) async fn change(&self, before: &Arc<Entries>, wanted: &Arc<Entries>) -> Result<Done, Error> {
        let (published, entries) = (Arc::clone(before), Arc::clone(wanted));
        let changes = off_path(move || Changes::between(&published, &entries)).await?;
        let mut deleted = 0;
        // First: nobody keeps a right while another gets his.
        for ids in changes.delete.chunks(PIPELINE) {
            deleted += self.delete(ids.iter().map(|id| entry::key(*id).into()).collect()).await?;
        }
        Ok(Done { deleted, ..self.write(&changes, wanted).await? })
    }

    /// Notes which of these are as they should be; gives those that no source has, or that are no hashes.
    async fn compare(
        &self,
        keys: &[Key],
        wanted: &Entries,
        right: &mut HashSet<Uuid>,
    ) -> Result<Vec<Key>, Error> {
        let known = |key: &Key| entry::id(key.as_str()?).filter(|id| wanted.contains_key(id));
        let (known, surplus): (Vec<_>, Vec<_>) =
            keys.iter().map(|key| (key, known(key))).partition(|(_, id)| id.is_some());
        let mut surplus: Vec<Key> = surplus.into_iter().map(|(key, _)| key.clone()).collect();
        if known.is_empty() {
            return Ok(surplus);
        }
        let pipeline = self.0.client.pipeline();
        for (key, _) in &known {
            let () = pipeline.hmget(*key, FIELDS.to_vec()).await?;
        }
        let found = pipeline.try_all::<Vec<Option<Bytes>>>().await;
        if found.len() != known.len() {
            // Of the whole, and not of a command.
            let error = found.into_iter().find_map(Result::err);
            return Err(error.unwrap_or_else(|| unexpected("answers are missing")));
        }
        for ((key, id), found) in known.into_iter().zip(found) {
            match (id, found) {
                (Some(id), Ok(found)) if wanted.get(&id).is_some_and(|entry| entry.is(&found)) => {
                    right.insert(id);
                }
                (_, Ok(_)) => {}
                (_, Err(error)) if is_no_hash(&error) => surplus.push(key.clone()),
                (_, Err(error)) => return Err(error),
            }
        }
        Ok(surplus)
    }

    /// At most [`PIPELINE`] keys; gives how many were there.
    async fn delete(&self, keys: Vec<Key>) -> Result<u64, Error> {
        if keys.is_empty() {
            return Ok(0);
        }
        self.0.client.del(keys).await
    }

    async fn write(&self, changes: &Changes, wanted: &Entries) -> Result<Done, Error> {
        let mut done = Done::default();
        for ids in changes.write.chunks(PIPELINE) {
            let pipeline = self.0.client.pipeline();
            for (id, entry) in ids.iter().filter_map(|id| Some((id, wanted.get(id)?))) {
                let fields: Vec<(&str, String)> = FIELDS.into_iter().zip(entry.values()).collect();
                let () = pipeline.hset(entry::key(*id), fields).await?;
                done.written += 1;
            }
            let _: Vec<u64> = pipeline.all().await?;
        }
        Ok(done)
    }
}

/// For a million entries no work for a thread that others wait for.
async fn off_path<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|_| unexpected("the comparison did not end"))
}
