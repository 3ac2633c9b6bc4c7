//! The private engines of one sweep: equal specs share one, which ends with its last user.

use super::{EngineError, EngineSpec, PrivateEngine};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::Mutex;

/// Where private engines run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnginePlace {
    /// Path of the engines' network namespace.
    pub netns: PathBuf,
    /// The address in it that clients reach.
    pub address: Ipv4Addr,
}

#[derive(Debug)]
struct Entry {
    engine: PrivateEngine,
    users: usize,
}

/// The engines of one sweep. Clones share them.
#[derive(Debug, Clone)]
pub struct EnginePool {
    place: EnginePlace,
    engines: Arc<Mutex<BTreeMap<EngineSpec, Entry>>>,
}

/// The right to use an engine; to be given back with [`EnginePool::release`].
#[derive(Debug)]
pub struct Lease {
    spec: EngineSpec,
    /// The engine's socket.
    pub socket: PathBuf,
}

impl Lease {
    /// What the engine is made of.
    pub fn spec(&self) -> &EngineSpec {
        &self.spec
    }
}

impl EnginePool {
    /// None yet; they will be at `place`.
    pub fn new(place: EnginePlace) -> Self {
        Self { place, engines: Arc::default() }
    }

    /// Where they are.
    pub fn place(&self) -> &EnginePlace {
        &self.place
    }

    /// The engine of `spec`, started unless it runs, with its files below `scratch`.
    pub async fn acquire(
        &self,
        spec: &EngineSpec,
        scratch: &Path,
        sweep: &str,
    ) -> Result<Lease, EngineError> {
        let mut engines = self.engines.lock().await;
        if !engines.contains_key(spec) {
            // Short names: the engine's socket is in it, and a socket's path is short.
            let free = (0..1000).map(|n| scratch.join(format!("e{n}"))).find(|dir| !dir.exists());
            let dir = free.unwrap_or_else(|| scratch.join("e"));
            let engine = PrivateEngine::start(spec, &dir, &self.place.netns, sweep).await?;
            engines.insert(spec.clone(), Entry { engine, users: 0 });
        }
        let entry = engines.get_mut(spec).ok_or_else(|| gone(scratch))?;
        entry.users += 1;
        Ok(Lease { spec: spec.clone(), socket: entry.engine.socket() })
    }

    /// Type of the filesystem below an engine.
    pub async fn backing(&self, lease: &Lease) -> Result<String, EngineError> {
        let engines = self.engines.lock().await;
        engines.get(&lease.spec).ok_or_else(|| gone(&lease.socket))?.engine.backing()
    }

    /// The root directory as an engine sees it, from outside of its mount namespace.
    pub async fn root(&self, lease: &Lease) -> Result<PathBuf, EngineError> {
        let engines = self.engines.lock().await;
        Ok(engines.get(&lease.spec).ok_or_else(|| gone(&lease.socket))?.engine.root())
    }

    /// Gives an engine back and ends it when nobody else uses it.
    pub async fn release(&self, lease: Lease) -> Result<(), EngineError> {
        let mut engines = self.engines.lock().await;
        let Some(entry) = engines.get_mut(&lease.spec) else { return Ok(()) };
        entry.users -= 1;
        if entry.users > 0 {
            return Ok(());
        }
        match engines.remove(&lease.spec) {
            Some(entry) => entry.engine.stop().await,
            None => Ok(()),
        }
    }
}

fn gone(path: &Path) -> EngineError {
    EngineError::io(path)(std::io::Error::other("its engine has ended"))
}
