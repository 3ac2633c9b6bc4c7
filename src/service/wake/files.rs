//! Changes of files and directories, through inotify(7).
//!
//! Files are replaced by renaming, so it is their directory that is watched. Of one that does not exist the nearest
//! ancestor is, until it does.

use super::wake;
use crate::watch::{Source, WakeUp};
use inotify_watch::{Config, Event, RecommendedWatcher, RecursiveMode, Watcher as _};
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc};

/// How often it is looked whether what is watched is still what it was.
const AGAIN: Duration = Duration::from_secs(60);

/// Watches for ever.
pub async fn watch(files: Vec<PathBuf>, waker: mpsc::Sender<WakeUp>) {
    let changed = Arc::new(Notify::new());
    let (wanted, tell) = (files.clone(), Arc::clone(&changed));
    let handler = move |event: inotify_watch::Result<Event>| {
        if event.is_ok_and(|event| is_relevant(&event, &wanted)) {
            tell.notify_one();
        }
    };
    let mut anchors = match RecommendedWatcher::new(handler, Config::default()) {
        Ok(watcher) => Anchors { watcher, held: BTreeMap::new() },
        Err(error) => {
            tracing::warn!(%error, "files are not watched; the service looks from time to time only");
            return;
        }
    };
    loop {
        anchors.attach(&files);
        tokio::select! {
            () = changed.notified() => wake(&waker, Source::File),
            () = tokio::time::sleep(AGAIN) => {}
        }
    }
}

/// Whether an event is about something that is wanted, or about a directory on the way to it. Reading is none: looking at
/// the host reads.
fn is_relevant(event: &Event, wanted: &[PathBuf]) -> bool {
    let near = |path: &PathBuf| wanted.iter().any(|w| path.starts_with(w) || w.starts_with(path));
    event.need_rescan() || (!event.kind.is_access() && event.paths.iter().any(near))
}

/// The directories that are watched.
struct Anchors {
    watcher: RecommendedWatcher,
    /// Each with what it was, device and inode: one that was removed and made again is another.
    held: BTreeMap<PathBuf, (u64, u64)>,
}

impl Anchors {
    /// Watches what has to be watched now.
    fn attach(&mut self, files: &[PathBuf]) {
        let wanted: BTreeMap<PathBuf, (u64, u64)> = files.iter().flat_map(|file| anchors(file)).collect();
        let gone: Vec<PathBuf> =
            self.held.iter().filter(|(p, id)| wanted.get(*p) != Some(id)).map(|(p, _)| p.clone()).collect();
        for path in gone {
            // The kernel forgets what was removed by itself.
            let _ = self.watcher.unwatch(&path);
            self.held.remove(&path);
        }
        for (path, id) in wanted {
            if self.held.contains_key(&path) {
                continue;
            }
            match self.watcher.watch(&path, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.held.insert(path, id);
                }
                Err(error) => tracing::warn!(%error, path = %path.display(), "is not watched"),
            }
        }
    }
}

/// Where one file is watched: in its nearest directory that exists, and in itself when it is one.
fn anchors(file: &Path) -> Vec<(PathBuf, (u64, u64))> {
    let id = |path: &Path| {
        let metadata = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_dir)?;
        Some((path.to_owned(), (metadata.dev(), metadata.ino())))
    };
    let above = file.ancestors().skip(1).find_map(id);
    above.into_iter().chain(id(file)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// Whether a wake-up comes soon, after which all others are forgotten.
    async fn woken(wakes: &mut mpsc::Receiver<WakeUp>) -> bool {
        let came = tokio::time::timeout(Duration::from_secs(5), wakes.recv()).await.is_ok();
        quiet(wakes).await;
        came
    }

    /// Waits until nothing comes; whether anything did.
    async fn quiet(wakes: &mut mpsc::Receiver<WakeUp>) -> bool {
        let mut any = false;
        while tokio::time::timeout(Duration::from_millis(300), wakes.recv()).await.is_ok() {
            any = true;
        }
        any
    }

    #[tokio::test]
    async fn files_are_heard_of_however_they_come_and_go() {
        let root = tempfile::tempdir().expect("a directory");
        let path = |name: &str| root.path().join(name);
        fs::create_dir_all(path("boot")).expect("made");
        fs::create_dir_all(path("etc")).expect("made");
        let wanted = vec![path("etc/docker/daemon.json"), path("boot")];
        let (sender, mut wakes) = mpsc::channel(64);
        let task = tokio::spawn(watch(wanted, sender));
        assert!(!quiet(&mut wakes).await, "nothing happened");

        fs::create_dir(path("etc/docker")).expect("made");
        assert!(woken(&mut wakes).await, "a directory on the way");
        fs::write(path("etc/docker/daemon.json"), "{}").expect("written");
        assert!(woken(&mut wakes).await, "the file");
        fs::write(path("etc/docker/new"), "{ }").expect("written");
        fs::write(path("etc/passwd"), "").expect("written");
        assert!(!quiet(&mut wakes).await, "others are not heard of");
        fs::rename(path("etc/docker/new"), path("etc/docker/daemon.json")).expect("replaced");
        assert!(woken(&mut wakes).await, "replaced, as editors and dpkg do");
        fs::read(path("etc/docker/daemon.json")).expect("read");
        assert!(!quiet(&mut wakes).await, "reading is no change");
        fs::write(path("boot/vmlinuz-6.1.0-26-amd64"), "").expect("written");
        assert!(woken(&mut wakes).await, "something in a directory");
        fs::remove_dir_all(path("etc/docker")).expect("removed");
        assert!(woken(&mut wakes).await, "gone");
        fs::create_dir(path("etc/docker")).expect("made");
        assert!(woken(&mut wakes).await, "there again");
        fs::write(path("etc/docker/daemon.json"), "{}").expect("written");
        assert!(woken(&mut wakes).await, "in the new directory");
        task.abort();
    }
}
