//! Docker's engine: what it says of itself, and that it went away or came back.

use super::wake;
use crate::environment::docker::engine;
use crate::watch::{Source, WakeUp};
use bollard::query_parameters::EventsOptionsBuilder;
use futures_util::StreamExt as _;
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::mpsc;

/// First and longest wait before it is looked for again.
const WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Listens for ever. An engine that ends (an upgrade restarts it) wakes, and so does one that is there again: what happened
/// between is not in any stream.
pub async fn listen(socket: PathBuf, waker: mpsc::Sender<WakeUp>) {
    // What is there from the start is seen by the first look.
    let mut is_news = false;
    let mut wait = WAITS.0;
    loop {
        if let Ok(docker) = engine::connect(&socket).await {
            if is_news {
                wake(&waker, Source::Docker);
            }
            wait = WAITS.0;
            // Containers come and go, also ours. Only what the engine says of itself counts: that it read its settings again.
            let filters = HashMap::from([("type", vec!["daemon"])]);
            let options = EventsOptionsBuilder::new().filters(&filters).build();
            let mut events = std::pin::pin!(docker.events(Some(options)));
            while let Some(Ok(_)) = events.next().await {
                wake(&waker, Source::Docker);
            }
            tracing::info!("Docker's engine ended the stream of its events");
            wake(&waker, Source::Docker);
        }
        is_news = true;
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(WAITS.1);
    }
}
