//! The store that is configured, whichever it is.

use std::sync::Arc;
use std::time::Duration;

use crate::deployment::Deployment;
use crate::store::files::FilesStore;
use crate::store::{Decision, Listener, Result, Sleeper, Store};

#[cfg(feature = "etcd")]
use crate::store::etcd::EtcdStore;

/// A store.
pub enum Opened {
    /// A lock directory.
    Files(FilesStore),
    /// An etcd cluster.
    #[cfg(feature = "etcd")]
    Etcd(Box<EtcdStore>),
}

impl Opened {
    /// Tells `listener`, if there is one, what its decisions bring about.
    pub fn heard_by(self, listener: Option<Arc<dyn Listener>>) -> Self {
        let Some(listener) = listener else {
            return self;
        };
        match self {
            Opened::Files(store) => Opened::Files(store.heard_by(listener)),
            #[cfg(feature = "etcd")]
            Opened::Etcd(store) => Opened::Etcd(Box::new(store.heard_by(listener))),
        }
    }

    /// For somebody who waits at a keyboard: a server that does not answer at once is not waited for.
    pub fn in_a_hurry(self) -> Self {
        match self {
            Opened::Files(store) => Opened::Files(store),
            #[cfg(feature = "etcd")]
            Opened::Etcd(store) => Opened::Etcd(Box::new(store.in_a_hurry())),
        }
    }

    fn store(&self) -> &dyn Store {
        match self {
            Opened::Files(store) => store,
            #[cfg(feature = "etcd")]
            Opened::Etcd(store) => store.as_ref(),
        }
    }
}

impl Store for Opened {
    fn decide(&self, decision: &mut Decision<'_>) -> Result<()> {
        self.store().decide(decision)
    }

    fn look(&self, look: &mut Decision<'_>) -> Result<bool> {
        self.store().look(look)
    }

    fn granted(&self, waited: &Deployment) -> Result<Option<Arc<Deployment>>> {
        self.store().granted(waited)
    }

    fn log(&self, line: &str) -> Result<()> {
        self.store().log(line)
    }

    fn sleeper(&self, retry: Duration) -> Result<Box<dyn Sleeper + '_>> {
        self.store().sleeper(retry)
    }

    fn history(&self) -> Result<Vec<String>> {
        self.store().history()
    }

    fn describe(&self) -> String {
        self.store().describe()
    }
}
