//! Learns from inotify where to look.
//!
//! Two directories are watched: the one with the manifests, and its parent, in case the
//! whole directory is replaced or is itself a symbolic link that is turned elsewhere.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use inotify::{Event, EventMask, EventStream, Inotify, WatchDescriptor, WatchMask};
use tokio::time::{Instant, timeout_at};

use super::listing::is_manifest_name;
use super::reader::{Evidence, Look};

/// Events that follow each other within this time are one change: an editor renames, and
/// a deployment writes several files.
const QUIET: Duration = Duration::from_millis(30);

/// A directory in which something changes all the time is looked at this often.
const LONGEST_CHANGE: Duration = Duration::from_millis(500);

/// The link through which a mounted ConfigMap shows its files. The kubelet turns it when
/// all new files are whole.
const CONFIG_MAP_DATA: &str = "..data";

/// Room for some hundred events.
const BUFFER_BYTES: usize = 16 * 1024;

/// The inotify watches of one directory, as far as the system grants them.
pub(super) struct DirectoryWatch {
    path: PathBuf,
    events: Option<EventStream<Vec<u8>>>,
    directory: Option<WatchDescriptor>,
    parent: Option<WatchDescriptor>,
}

impl DirectoryWatch {
    /// Starts watching. Where that is impossible, [`DirectoryWatch::next`] still returns
    /// after its pause.
    pub(super) fn start(path: &Path) -> DirectoryWatch {
        let events = Inotify::init()
            .and_then(|inotify| inotify.into_event_stream(vec![0; BUFFER_BYTES]))
            .inspect_err(|error| {
                tracing::warn!(%error, "no inotify (see fs.inotify.max_user_instances): \
                    changes of manifests are noticed by polling only");
            });
        let mut watch = DirectoryWatch {
            path: path.to_owned(),
            events: events.ok(),
            directory: None,
            parent: None,
        };
        watch.rearm();
        watch
    }

    /// Whether changes are noticed without polling, as far as the file system tells.
    pub(super) fn is_live(&self) -> bool {
        self.events.is_some() && self.directory.is_some()
    }

    /// Watches what is at the path now. Watching the same directory again changes nothing.
    fn rearm(&mut self) {
        let Some(events) = &self.events else { return };
        let mut watches = events.watches();
        let inside = WatchMask::CLOSE_WRITE
            | WatchMask::CREATE
            | WatchMask::DELETE
            | WatchMask::MOVE
            | WatchMask::ATTRIB
            | WatchMask::DELETE_SELF
            | WatchMask::MOVE_SELF
            | WatchMask::ONLYDIR;
        let directory = watches.add(&self.path, inside).ok();
        if let Some(replaced) = self.directory.take().filter(|old| Some(old) != directory.as_ref())
        {
            // Fails if the directory is gone, and the watch with it.
            let _ = watches.remove(replaced);
        }
        self.directory = directory;
        if self.parent.is_none()
            && let Some(parent) = parent_of(&self.path)
        {
            let names = WatchMask::CREATE | WatchMask::MOVED_TO | WatchMask::ONLYDIR;
            self.parent = watches.add(parent, names).ok();
        }
    }

    /// Waits for a change, or for `pause` without one, and says where to look.
    pub(super) async fn next(&mut self, pause: Duration) -> Look {
        let mut look = Look::default();
        let mut deadline = Instant::now() + pause;
        let mut latest = None;
        while let Some(event) = self.event_before(deadline).await {
            match event {
                Ok(event) => self.note(&event, &mut look),
                Err(_) => {
                    self.events = None;
                    look.add_all(Evidence::Suspicion);
                }
            }
            if look != Look::default() {
                let now = Instant::now();
                let latest = *latest.get_or_insert(now + LONGEST_CHANGE);
                deadline = latest.min(now + QUIET);
            }
        }
        if look == Look::default() {
            look.all = Some(Evidence::Suspicion);
        }
        if look.all.is_some() {
            self.rearm();
        }
        look
    }

    async fn event_before(&mut self, deadline: Instant) -> Option<io::Result<Event<OsString>>> {
        match &mut self.events {
            Some(events) => timeout_at(deadline, events.next()).await.ok()?,
            None => {
                tokio::time::sleep_until(deadline).await;
                None
            }
        }
    }

    fn note(&self, event: &Event<OsString>, look: &mut Look) {
        if event.mask.contains(EventMask::Q_OVERFLOW) {
            look.add_all(Evidence::Suspicion);
        } else if Some(&event.wd) == self.directory.as_ref() {
            look.add_inside(event);
        } else if Some(&event.wd) == self.parent.as_ref()
            && event.name.as_deref() == self.path.file_name()
        {
            look.start_anew(if event.mask.contains(EventMask::MOVED_TO) {
                Evidence::Replaced
            } else {
                Evidence::Suspicion
            });
        }
    }
}

/// `None` for `/` and `..`, whose replacement only polling notices.
fn parent_of(path: &Path) -> Option<&Path> {
    path.file_name()?;
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Some(Path::new(".")),
        parent => parent,
    }
}

impl Look {
    fn add_all(&mut self, evidence: Evidence) {
        self.all = self.all.max(Some(evidence));
    }

    /// What was seen before happened in another directory.
    fn start_anew(&mut self, evidence: Evidence) {
        *self = Look { all: Some(evidence), ..Look::default() };
    }

    fn add_inside(&mut self, event: &Event<OsString>) {
        let gone = EventMask::DELETE_SELF | EventMask::MOVE_SELF | EventMask::IGNORED;
        let Some(name) = &event.name else {
            if event.mask.intersects(gone | EventMask::UNMOUNT) {
                self.add_all(Evidence::Suspicion);
            }
            return;
        };
        if is_manifest_name(name) {
            let evidence = evidence(event.mask);
            let known = self.names.entry(Arc::from(name.as_os_str())).or_insert(evidence);
            *known = evidence.max(*known);
        } else if event.mask.contains(EventMask::MOVED_TO) && name == CONFIG_MAP_DATA {
            self.add_all(Evidence::Replaced);
        } else if event.mask.intersects(EventMask::MOVED_TO | EventMask::CREATE) {
            // It may be a link or directory through which manifests are seen.
            self.add_all(Evidence::Suspicion);
        }
    }
}

fn evidence(mask: EventMask) -> Evidence {
    if mask.contains(EventMask::CLOSE_WRITE) {
        Evidence::Written
    } else if mask.contains(EventMask::MOVED_TO) {
        Evidence::Replaced
    } else {
        Evidence::Suspicion
    }
}

/// How long to wait for events that may never come.
pub(super) fn polling_pause(is_live: bool) -> Duration {
    // Even a live watch does not see what others do on a network file system.
    if is_live { Duration::from_secs(10) } else { Duration::from_secs(1) }
}
