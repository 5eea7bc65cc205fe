//! What a node's actor learns of the answers that it has asked for itself.

use std::time::Duration;

use bytes::Bytes;
use ng::reply::Done;
use tokio::time::Instant;
use uuid::Uuid;

use super::{LIST_MAX, Options, Serving};
use crate::media::asking::Finding;
use crate::media::load::Load;
use crate::media::pool::{News, Ticket};
use crate::media::release::Release;

impl Serving<'_> {
    /// What an answer says that this actor has asked for. What others have asked for is read by them.
    pub(super) fn learn(&mut self, ticket: Ticket, body: &Bytes) {
        if let Ticket::Query(call) = ticket {
            return self.learn_call(call, body);
        }
        if !matches!(ticket, Ticket::Statistics | Ticket::List | Ticket::Release) {
            return;
        }
        let Ok(reply) = ng::Reply::parse(body) else { return };
        let Some(done) = reply.done() else { return };
        match ticket {
            Ticket::Statistics => self.learn_statistics(done),
            Ticket::List => self.learn_calls(done),
            Ticket::Release => self.learn_release(done),
            Ticket::Worker(_) | Ticket::Record(_) | Ticket::Nobody | Ticket::Ping | Ticket::Query(_) => {}
        }
    }

    fn learn_statistics(&mut self, done: &Done<'_>) {
        let Some(statistics) = done.statistics() else { return };
        let sessions = statistics.current.sessions_total;
        self.health().set_sessions(sessions);
        let Options { node, metrics, .. } = self.options;
        let sessions = i64::try_from(sessions).unwrap_or(i64::MAX);
        metrics.sessions.with_label_values(&[node.name.as_str()]).set(sessions);
        let load = Load::of(&statistics);
        self.health().set_load(load, Instant::now().into_std());
        metrics.carries(&node.name, &load);
        self.learn_uptime(statistics.uptime);
        let totals = statistics.totals;
        let timed_out = [
            totals.timeout_sessions,
            totals.silent_timeout_sessions,
            totals.final_timeout_sessions,
            totals.offer_timeout_sessions,
        ];
        let timed_out = timed_out.into_iter().fold(0, u64::saturating_add);
        // It tells nobody of a call that it ends for want of media: its list does, or an answer of its own where it has
        // too many for a list. What it says first may be behind such an end already.
        if self.timed_out.replace(timed_out).unwrap_or(0) != timed_out {
            self.hurries = true;
            self.list_soon(Instant::now(), 2);
        }
    }

    /// One that was begun anew between two questions has lost its calls, and was there each time that it was asked.
    fn learn_uptime(&mut self, uptime: Duration) {
        let now = Instant::now();
        let Some((before, at)) = self.ran.replace((uptime, now.into_std())) else { return };
        if uptime >= before {
            return;
        }
        let node = self.options.node.name.as_str();
        tracing::warn!(node, "an RTPEngine node was begun anew, calls that it does not have any more end");
        self.hurries = true;
        (self.list_at, self.lists_soon) = (now, 2);
        self.heard_before = self.heard_before.or(Some(at));
    }

    fn learn_calls(&mut self, done: &Done<'_>) {
        let Some(calls) = done.calls() else { return };
        let all = calls.len() < usize::try_from(LIST_MAX).unwrap_or(usize::MAX);
        let names = calls.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
        let (node, heard) = (self.options.node.number, self.heard_before);
        self.lists_soon = self.lists_soon.saturating_sub(1);
        if self.lists_soon == 0 {
            self.heard_before = None;
        }
        (self.options.deliver)(News::Calls { node, names, all, heard });
    }

    /// Of a call that it was asked for alone.
    fn learn_call(&mut self, call: Uuid, body: &Bytes) {
        let reply = ng::Reply::parse(body).ok();
        let is_unknown = reply.as_ref().is_some_and(ng::Reply::is_unknown_call);
        // Another error says nothing of the call.
        if !is_unknown && reply.as_ref().and_then(ng::Reply::done).is_none() {
            return self.asking.unanswered();
        }
        let node = self.options.node.number;
        match self.asking.answered(call, !is_unknown, Instant::now().into_std()) {
            Finding::Nothing => {}
            Finding::Gone(since) => (self.options.deliver)(News::Gone { node, call, since }),
            Finding::Figures => (self.options.deliver)(News::Queried { node, call, body: body.clone() }),
        }
    }

    fn learn_release(&self, done: &Done<'_>) {
        let Some(release) = done.sdp().and_then(Release::of_description) else { return };
        let Options { node, metrics, .. } = self.options;
        let is_open = release.is_open_to_strangers();
        metrics.outdated.with_label_values(&[node.name.as_str()]).set(is_open.into());
        let note = release.note();
        if !self.health().set_release(&release) {
            return;
        }
        if is_open {
            tracing::warn!(node = node.name, note, "an RTPEngine node is of a release that is not safe");
        } else {
            tracing::info!(node = node.name, note, "the release of an RTPEngine node is known");
        }
    }
}
