//! Changes of files and directories, through inotify(7).
//!
//! Files are replaced by renaming, so it is their directory that is watched. Of one that does not exist the nearest
//! ancestor is, until it does.

use super::wake;
use crate::watch::{Source, WakeUp};
use inotify_watch::{Config, Event, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::{BTreeMap, BTreeSet};
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
        Ok(watcher) => Anchors { watcher, held: BTreeMap::new(), refused: BTreeSet::new() },
        Err(error) => {
            tracing::warn!(%error, "files are not watched; the service looks from time to time only");
            return;
        }
    };
    loop {
        for (path, error) in anchors.attach(&files) {
            tracing::warn!(%error, path = %path.display(), "is not watched");
        }
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
struct Anchors<W> {
    watcher: W,
    /// Each with what it was, device and inode: one that was removed and made again is another.
    held: BTreeMap<PathBuf, (u64, u64)>,
    /// Those that cannot be watched, which was said.
    refused: BTreeSet<PathBuf>,
}

impl<W: Watcher> Anchors<W> {
    /// Watches what has to be watched now. Returns what cannot be, when it could the last time or was not wanted.
    fn attach(&mut self, files: &[PathBuf]) -> Vec<(PathBuf, inotify_watch::Error)> {
        let wanted: BTreeMap<PathBuf, (u64, u64)> = files.iter().flat_map(|file| anchors(file)).collect();
        let gone: Vec<PathBuf> =
            self.held.iter().filter(|(p, id)| wanted.get(*p) != Some(id)).map(|(p, _)| p.clone()).collect();
        for path in gone {
            // The kernel forgets what was removed by itself.
            let _ = self.watcher.unwatch(&path);
            self.held.remove(&path);
        }
        let mut fresh = Vec::new();
        self.refused.retain(|path| wanted.contains_key(path));
        for (path, id) in wanted {
            if self.held.contains_key(&path) {
                continue;
            }
            match self.watcher.watch(&path, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.refused.remove(&path);
                    self.held.insert(path, id);
                }
                Err(error) if self.refused.insert(path.clone()) => fresh.push((path, error)),
                // It was said.
                Err(_) => {}
            }
        }
        fresh
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

    /// Refuses what is called so, as the kernel does where a directory may not be read.
    struct Refusing(&'static str);

    impl Watcher for Refusing {
        fn new<F: inotify_watch::EventHandler>(_: F, _: Config) -> inotify_watch::Result<Self> {
            Ok(Self(""))
        }

        fn watch(&mut self, path: &Path, _: RecursiveMode) -> inotify_watch::Result<()> {
            if path.ends_with(self.0) { Err(inotify_watch::Error::generic("not permitted")) } else { Ok(()) }
        }

        fn unwatch(&mut self, _: &Path) -> inotify_watch::Result<()> {
            Ok(())
        }

        fn kind() -> inotify_watch::WatcherKind {
            inotify_watch::WatcherKind::NullWatcher
        }
    }

    #[test]
    fn what_cannot_be_watched_is_said_once() {
        let root = tempfile::tempdir().expect("a directory");
        let modules = root.path().join("modules");
        fs::create_dir(&modules).expect("made");
        let mut anchors =
            Anchors { watcher: Refusing("modules"), held: BTreeMap::new(), refused: BTreeSet::new() };
        let mut said = |watcher: Refusing| -> Vec<PathBuf> {
            anchors.watcher = watcher;
            anchors.attach(std::slice::from_ref(&modules)).into_iter().map(|(path, _)| path).collect()
        };
        assert_eq!(said(Refusing("modules")), std::slice::from_ref(&modules));
        assert!(said(Refusing("modules")).is_empty(), "it is tried again, and not said again");
        assert!(said(Refusing("other")).is_empty());
        fs::rename(&modules, root.path().join("old")).expect("moved");
        fs::create_dir(&modules).expect("made again");
        assert_eq!(
            said(Refusing("modules")),
            std::slice::from_ref(&modules),
            "once more after it was watched"
        );
    }

    #[test]
    fn the_unit_of_mode_dispatch_hides_nothing_that_is_watched() {
        let unit = include_str!("../../../packaging/systemd/tollgate-dispatch.conf");
        let watched = &crate::config::Config::resolve(None).expect("the default").watch.files;
        let hidden = [("ProtectKernelModules=yes", "/lib/modules"), ("InaccessiblePaths=", "/")];
        for (setting, below) in hidden {
            let wanted = watched.iter().any(|file| file.starts_with(below));
            assert!(wanted && !unit.lines().any(|line| line.starts_with(setting)), "{setting}");
        }
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
