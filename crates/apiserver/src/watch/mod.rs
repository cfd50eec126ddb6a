//! Watches.

mod lines;

use std::sync::Arc;
use std::time::Duration;
use std::vec;

use bytes::Bytes;
use futures::stream::{self, Stream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::body::Cut;
use crate::faults::{Faults, Interruptions};
use crate::list::unavailable;
use crate::object::Stored;
use crate::query::{Query, Version};
use crate::refusal::Refusal;
use crate::resource::{Dialect, Resource};
use crate::selector::Selection;
use crate::store::{Page, Snapshot, Store, Wanted};

/// Where a client has not said how long it wants to watch.
const TIMEOUT: Duration = Duration::from_secs(45 * 60);

/// What a watch of one client needs.
pub(crate) struct Watch {
    store: Store,
    faults: Faults,
    resource: Resource,
    dialect: Dialect,
    selection: Selection,
    /// Objects that are there from the beginning and were not sent yet.
    initial: vec::IntoIter<Arc<Stored>>,
    /// Whether the client still has to hear that these are complete.
    initial_end: bool,
    /// Where in the log it has come.
    position: u64,
    /// Up to this version the client knows everything.
    seen: u64,
    interruptions: Interruptions,
    changed: watch::Receiver<()>,
    faults_changed: watch::Receiver<()>,
    bookmarks: Option<Bookmarks>,
    end: Instant,
    /// What is said before anything else, and ends the watch.
    first: Option<Refusal>,
    /// What happens instead of the last object of the beginning.
    after_initial: Option<Ending>,
    ending: Option<Ending>,
}

/// When bookmarks are sent.
#[derive(Clone, Copy, Debug)]
struct Bookmarks {
    interval: Duration,
    next: Instant,
}

/// How a watch ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// As it should.
    Clean,
    Cut,
    /// Not at all, and nothing follows.
    Silence,
}

/// What faults make of a new watch.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fate {
    /// Ends in the middle of the initial objects.
    pub(crate) cut_in_list: bool,
    /// Does not know of streaming lists.
    pub(crate) ignores_streaming: bool,
    /// Cannot go on after the version that it resumes from.
    pub(crate) expired: bool,
    /// Ends after this time.
    pub(crate) ends_after: Option<Duration>,
}

impl Watch {
    /// A watch that begins.
    pub(crate) fn new(
        store: &Store,
        faults: &Faults,
        resource: Resource,
        query: Query,
        bookmark_interval: Duration,
        fate: Fate,
    ) -> Result<Watch, Refusal> {
        let now = Instant::now();
        let bookmarks = Bookmarks { interval: bookmark_interval, next: now + bookmark_interval };
        let timeout = fate.ends_after.or(query.timeout).unwrap_or(TIMEOUT);
        let initial = query.send_initial_events.filter(|_| !fate.ignores_streaming);
        let mut watch = Watch {
            // Whatever happens from here on wakes it.
            changed: store.subscribe(resource),
            faults_changed: faults.subscribe(),
            interruptions: faults.interruptions(resource),
            store: store.clone(),
            faults: faults.clone(),
            resource,
            dialect: query.dialect,
            selection: query.selection,
            initial: Vec::new().into_iter(),
            initial_end: initial == Some(true) && query.bookmarks,
            position: 0,
            seen: 0,
            bookmarks: query.bookmarks.then_some(bookmarks),
            end: now + timeout,
            first: None,
            after_initial: None,
            ending: None,
        };
        match (query.version, initial) {
            (Version::At(version), Some(true)) => watch.begin(version, true, fate)?,
            (Version::At(version), _) => watch.resume(version),
            (Version::Unset | Version::Any, _) => watch.begin(0, initial != Some(false), fate)?,
        }
        if fate.expired {
            watch.first = Some(Refusal::expired("too old resource version"));
        }
        Ok(watch)
    }

    /// Goes on after a version. One that is gone is told by the watch itself, as the watch
    /// cache of API servers does (`newErrWatcher` of k8s.io/apiserver).
    fn resume(&mut self, version: u64) {
        self.seen = version;
        match self.store.position(self.resource, version) {
            Ok(position) => self.position = position,
            Err(why) => {
                self.first = Some(unavailable(Wanted::NotOlderThan(version), why, false));
            }
        }
    }

    /// Begins with the objects that are there.
    fn begin(&mut self, least: u64, initial: bool, fate: Fate) -> Result<(), Refusal> {
        let wanted = Wanted::NotOlderThan(least);
        let newest = self.faults.newest(self.resource);
        let snapshot = self
            .store
            .snapshot(self.resource, &self.selection, wanted, newest, &Page::default())
            .map_err(|why| unavailable(wanted, why, false))?;
        let Snapshot { version, mut objects, position, .. } = snapshot;
        if !initial {
            objects.clear();
        }
        if fate.cut_in_list {
            objects.truncate(objects.len() / 2 + 1);
            self.after_initial = Some(Ending::Cut);
        }
        (self.seen, self.position) = (version, position);
        self.initial = objects.into_iter();
        Ok(())
    }

    /// What is sent, from the first event to the last.
    pub(crate) fn into_stream(self) -> impl Stream<Item = Result<Bytes, Cut>> + Send + 'static {
        stream::unfold(Some(self), |watch| async {
            let mut watch = watch?;
            match watch.next().await? {
                Ok(lines) => Some((Ok(lines), Some(watch))),
                Err(cut) => Some((Err(cut), None)),
            }
        })
    }

    async fn next(&mut self) -> Option<Result<Bytes, Cut>> {
        loop {
            match self.ending {
                None => {}
                Some(Ending::Clean) => return None,
                Some(Ending::Silence) => std::future::pending().await,
                Some(Ending::Cut) => {
                    // What was sent is written before the connection ends.
                    tokio::task::yield_now().await;
                    return Some(Err(Cut));
                }
            }
            let lines = self.lines(Instant::now());
            if !lines.is_empty() {
                return Some(Ok(lines.freeze()));
            }
            if self.ending.is_none() {
                self.wait().await;
            }
        }
    }

    /// Waits until there may be something to do.
    async fn wait(&mut self) {
        let bookmark = self.bookmarks.map_or(self.end, |bookmarks| bookmarks.next);
        // The store and the faults live as long as this watch: nothing closes.
        tokio::select! {
            _ = self.changed.changed() => {}
            _ = self.faults_changed.changed() => {}
            () = sleep_until(self.end.min(bookmark)) => {}
        }
    }
}
