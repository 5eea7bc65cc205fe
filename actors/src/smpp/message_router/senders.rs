//! Which senders to webhooks run: one for each account that has a webhook.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::join_all;
use parking_lot::Mutex;
use runtime::http_client::HttpClient;
use runtime::registry::ActorName;
use runtime::supervision::SupervisorHandle;
use uuid::Uuid;

use crate::smpp::Smpp;
use crate::smpp::account::Account;
use crate::smpp::webhook::{self, child_spec};

/// The senders of a node, as the router starts and stops them.
#[derive(Clone)]
pub struct Senders {
    /// Their supervisor.
    pub supervisor: SupervisorHandle,
    /// Posts for all of them.
    pub client: HttpClient,
    /// Those that run, and for which account: one that was deleted and made again under its name is another. Outlives
    /// the router.
    pub running: Arc<Mutex<HashMap<ActorName, Uuid>>>,
}

impl Senders {
    /// Starts senders of accounts that have a webhook now, stops the others. Where it points to is read by each of them
    /// with every post. False when one could not be started.
    pub(super) async fn follow(&self, smpp: &Arc<Smpp>) -> bool {
        let accounts = smpp.accounts.load_full();
        let wanted: HashMap<ActorName, &Arc<Account>> = accounts
            .iter()
            .filter(|account| account.settings.load().webhook.is_some())
            .map(|account| (webhook::name(account), account))
            .collect();
        let is_of = |name: &ActorName| {
            let running = self.running.lock().get(name).copied();
            running.is_some() && running == wanted.get(name).map(|account| account.id)
        };
        let children = self.supervisor.children().await;
        let gone = children.iter().filter(|name| !is_of(name));
        join_all(gone.map(|name| self.stop(name))).await;
        let mut started = true;
        for (name, account) in &wanted {
            if !(children.contains(name) && is_of(name)) {
                started &= self.start(smpp, name, account).await;
            }
        }
        started
    }

    async fn stop(&self, name: &ActorName) {
        if let Err(error) = self.supervisor.remove(name).await {
            tracing::warn!(%name, %error, "the sender to a webhook could not be stopped");
        }
        self.running.lock().remove(name);
    }

    async fn start(&self, smpp: &Arc<Smpp>, name: &ActorName, account: &Arc<Account>) -> bool {
        // Noted first: a router that dies on the way leaves a sender that its successor knows.
        self.running.lock().insert(name.clone(), account.id);
        let options = webhook::Options {
            smpp: Arc::clone(smpp),
            account: Arc::clone(account),
            client: self.client.clone(),
        };
        let added = self.supervisor.add(child_spec(options)).await;
        if let Err(error) = &added {
            tracing::error!(%name, %error, "the sender to a webhook could not be started");
            self.running.lock().remove(name);
        }
        added.is_ok()
    }
}
