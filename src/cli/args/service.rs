//! What the commands take that watch a host, tell others, and clean up.

use super::Format;
use crate::workload::Profile;
use clap::Args;
use std::path::PathBuf;

/// Of `notify`.
#[derive(Debug, Args)]
pub struct NotifyArgs {
    /// The result.json of a gate; without it only what waits in the outbox is sent
    #[arg(long, value_name = "FILE")]
    pub result: Option<PathBuf>,
    /// Says what would be done, and does nothing
    #[arg(long, requires = "result")]
    pub dry_run: bool,
}

/// Of `watch`.
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// Says whether the configuration can be used and what it means, and ends
    #[arg(long)]
    pub check_config: bool,
    /// Address of the dashboard [default: watch.listen, 127.0.0.1:9417]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<std::net::SocketAddr>,
}

/// Of `trigger`.
#[derive(Debug, Args)]
pub struct TriggerArgs {
    /// Measures also when no component changed, and in quiet hours
    #[arg(long)]
    pub always: bool,
    /// Size of the sweep [default: the service's]
    #[arg(long, value_enum, requires = "always")]
    pub profile: Option<Profile>,
}

/// Of `clean`.
#[derive(Debug, Args)]
pub struct CleanArgs {
    /// Says what would be removed, and removes nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}
