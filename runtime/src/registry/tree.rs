//! The live tree as data and as text.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::{ActorName, Entry};
use crate::clock::Timestamp;

/// One line of the live tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// Whose.
    pub name: ActorName,
    /// The supervisor, if any.
    pub parent: Option<ActorName>,
    /// Levels below a root; 0 for one read by name.
    pub depth: u32,
    /// What it says of itself, or `running`, `restarting`, `waiting`.
    pub state: Cow<'static, str>,
    /// Start of this incarnation, or of the pause since the last one.
    pub since: Timestamp,
    /// How often it was started again.
    pub restarts: u32,
    /// How the last failed incarnation ended.
    pub last_error: Option<String>,
    /// Items waiting for it.
    pub queue_depth: u64,
    /// Totals since this incarnation began, a JSON object.
    #[serde(serialize_with = "as_object")]
    pub counters: Vec<(&'static str, u64)>,
    /// A line for people.
    pub note: Option<String>,
}

/// Depth first, siblings by name. An entry whose parent is not registered counts as a root.
pub(super) fn snapshots(entries: &[Arc<Entry>]) -> Vec<Snapshot> {
    let known: HashSet<&ActorName> = entries.iter().map(|entry| &entry.name).collect();
    let mut children: BTreeMap<Option<&ActorName>, BTreeMap<&ActorName, &Entry>> = BTreeMap::new();
    for entry in entries {
        let parent = entry.parent.as_ref().filter(|parent| known.contains(parent));
        children.entry(parent).or_default().insert(&entry.name, entry);
    }
    let mut listed = Vec::with_capacity(entries.len());
    let mut open: Vec<(u32, &Entry)> = level(&children, None).map(|entry| (0, entry)).collect();
    while let Some((depth, entry)) = open.pop() {
        listed.push(Snapshot { depth, ..entry.snapshot() });
        open.extend(level(&children, Some(&entry.name)).map(|child| (depth + 1, child)));
    }
    listed
}

/// Columns: indented name, state, up for, restarts, queue, counters with the note at the end.
pub(super) fn text(snapshots: &[Snapshot], now: Timestamp) -> String {
    let labels: Vec<String> = snapshots.iter().map(label).collect();
    let name_width = width(labels.iter().map(String::as_str), "NAME");
    let state_width = width(snapshots.iter().map(|snapshot| snapshot.state.as_ref()), "STATE");
    let mut out = format!(
        "{:name_width$}  {:state_width$}  {:>9}  {:>8}  {:>7}  COUNTERS\n",
        "NAME", "STATE", "UP FOR", "RESTARTS", "QUEUE"
    );
    for (snapshot, label) in snapshots.iter().zip(&labels) {
        let line = format!(
            "{label:name_width$}  {:state_width$}  {:>9}  {:>8}  {:>7}  {}",
            snapshot.state,
            up_for(now.since(snapshot.since)),
            snapshot.restarts,
            snapshot.queue_depth,
            counters(snapshot),
        );
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

/// Last first, for a stack.
fn level<'a>(
    children: &'a BTreeMap<Option<&'a ActorName>, BTreeMap<&'a ActorName, &'a Entry>>,
    parent: Option<&'a ActorName>,
) -> impl Iterator<Item = &'a Entry> {
    children.get(&parent).into_iter().flat_map(|siblings| siblings.values().rev().copied())
}

fn label(snapshot: &Snapshot) -> String {
    let indent = usize::try_from(snapshot.depth).unwrap_or(0) * 2;
    format!("{:indent$}{}", "", snapshot.name)
}

fn width<'a>(texts: impl Iterator<Item = &'a str>, title: &str) -> usize {
    texts.map(|text| text.chars().count()).chain([title.len()]).max().unwrap_or(0)
}

fn counters(snapshot: &Snapshot) -> String {
    let mut parts: Vec<String> =
        snapshot.counters.iter().map(|(name, count)| format!("{name}={count}")).collect();
    if let Some(error) = &snapshot.last_error {
        parts.push(format!("last_error={error:?}"));
    }
    if let Some(note) = &snapshot.note {
        parts.push(format!("({note})"));
    }
    parts.join(" ")
}

/// `850ms`, `12s`, `3m07s`, `5h02m`, `4d03h`.
fn up_for(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0 => format!("{}ms", time.as_millis()),
        1..60 => format!("{seconds}s"),
        60..3600 => format!("{minutes}m{:02}s", seconds % 60),
        3600..86_400 => format!("{hours}h{:02}m", minutes % 60),
        _ => format!("{days}d{:02}h", hours % 24),
    }
}

/// A counter named twice keeps its last value.
fn as_object<S: Serializer>(counters: &[(&'static str, u64)], serializer: S) -> Result<S::Ok, S::Error> {
    let names: BTreeSet<_> = counters.iter().map(|(name, _)| name).collect();
    let last = |name: &&str| counters.iter().rev().find(|(n, _)| n == name).map(|(_, count)| *count);
    serializer.collect_map(names.into_iter().filter_map(|name| Some((name, last(name)?))))
}
