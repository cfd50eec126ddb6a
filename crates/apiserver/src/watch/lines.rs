//! What a watch has to say.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::time::Instant;

use super::{Ending, Watch};
use crate::faults::{Fault, Moment};
use crate::list::CHUNK;
use crate::object::{preamble, told};
use crate::refusal::Refusal;
use crate::store::{Change, Happening};

/// So many changes are looked at in one go; what others send waits meanwhile.
const CHANGES: usize = 64;

/// What stands before the object of an event.
const ADDED: &str = r#"{"type":"ADDED","object":"#;
const MODIFIED: &str = r#"{"type":"MODIFIED","object":"#;
const DELETED: &str = r#"{"type":"DELETED","object":"#;
const BOOKMARK: &str = r#"{"type":"BOOKMARK","object":"#;
const ERROR: &str = r#"{"type":"ERROR","object":"#;

/// Where a client hears that the initial objects are complete (KEP-3157).
const INITIAL_EVENTS_END: &str = r#","annotations":{"k8s.io/initial-events-end":"true"}"#;

impl Watch {
    /// Everything that can be said now. If that is nothing, one has to wait or `ending`
    /// says how it ends.
    pub(super) fn lines(&mut self, now: Instant) -> BytesMut {
        let mut lines = BytesMut::new();
        if let Some(refusal) = self.first.take() {
            error(&mut lines, &refusal);
            self.ending = Some(Ending::Clean);
        }
        if self.ending.is_none() {
            self.ending = self.interrupted();
        }
        if self.ending.is_none() {
            self.initial_lines(&mut lines);
        }
        if self.ending.is_none() && self.initial.len() == 0 {
            self.change_lines(&mut lines);
        }
        // Also while changes keep coming.
        if self.ending.is_none() && self.initial.len() == 0 {
            self.timed_lines(now, &mut lines);
        }
        lines
    }

    /// What others do to this watch.
    fn interrupted(&mut self) -> Option<Ending> {
        let now = self.faults.interruptions(self.resource);
        if now != self.interruptions {
            let cut = now.cut_since(self.interruptions);
            return Some(if cut { Ending::Cut } else { Ending::Clean });
        }
        self.faults.strike(self.resource, Moment::Open).map(|_| Ending::Silence)
    }

    /// Some of the objects that are there from the beginning, and their end.
    fn initial_lines(&mut self, lines: &mut BytesMut) {
        while lines.len() < CHUNK && self.ending.is_none() {
            let Some(object) = self.initial.next() else { break };
            if self.initial.len() == 0 && self.after_initial.is_some() {
                half_event(lines, ADDED, &told(object.bytes(), self.resource, self.dialect));
            } else {
                self.event(lines, ADDED, object.bytes());
            }
        }
        if self.initial.len() > 0 || self.ending.is_some() {
            return;
        }
        self.ending = self.after_initial;
        if self.ending.is_none() && std::mem::take(&mut self.initial_end) {
            self.bookmark(lines, INITIAL_EVENTS_END);
        }
    }

    /// Some of what happened since.
    fn change_lines(&mut self, lines: &mut BytesMut) {
        let newest = self.faults.newest(self.resource);
        let changes = self.store.changes(self.resource, self.position, newest, CHANGES);
        let Some((changes, seen)) = changes else {
            error(lines, &Refusal::expired("too old resource version: the watch is too slow"));
            self.ending = Some(Ending::Clean);
            return;
        };
        for change in changes {
            if self.ending.is_some() {
                return;
            }
            self.position += 1;
            // A client may name a version that is still to come.
            if change.version > self.seen {
                self.change(lines, &change);
            }
        }
        self.seen = self.seen.max(seen);
    }

    fn change(&mut self, lines: &mut BytesMut, change: &Arc<Change>) {
        match change.to(&self.selection) {
            Some(Happening::Added(object)) => self.event(lines, ADDED, object),
            Some(Happening::Modified(object)) => self.event(lines, MODIFIED, object),
            Some(Happening::Deleted(object)) => self.event(lines, DELETED, object),
            None => {}
        }
    }

    /// What the clock says.
    fn timed_lines(&mut self, now: Instant, lines: &mut BytesMut) {
        let ends = now >= self.end;
        if let Some(bookmarks) = &mut self.bookmarks
            && (ends || now >= bookmarks.next)
        {
            bookmarks.next = now + bookmarks.interval;
            self.bookmark(lines, "");
        }
        if ends {
            self.ending = Some(Ending::Clean);
        }
    }

    fn bookmark(&self, lines: &mut BytesMut, annotations: &str) {
        let (preamble, version) = (preamble(self.resource, self.dialect), self.seen);
        let object = format!(
            r#"{preamble}"metadata":{{"resourceVersion":"{version}","creationTimestamp":null{annotations}}}}}"#,
        );
        event(lines, BOOKMARK, object.as_bytes());
    }

    fn event(&mut self, lines: &mut BytesMut, head: &str, object: &Bytes) {
        let object = &told(object, self.resource, self.dialect);
        match self.faults.strike(self.resource, Moment::Event) {
            Some(Fault::CutInEvent) => {
                half_event(lines, head, object);
                self.ending = Some(Ending::Cut);
            }
            Some(Fault::ExpiredInWatch) => {
                error(lines, &Refusal::expired("too old resource version"));
                self.ending = Some(Ending::Clean);
            }
            Some(Fault::GarbledEvent) => {
                half_event(lines, head, object);
                // Neither JSON nor the beginning of it.
                lines.put_slice(b"\0\n");
            }
            Some(Fault::DuplicateEvents) => {
                event(lines, head, object);
                event(lines, head, object);
            }
            _ => event(lines, head, object),
        }
    }
}

fn event(lines: &mut BytesMut, head: &str, object: &[u8]) {
    lines.reserve(head.len() + object.len() + 2);
    lines.put_slice(head.as_bytes());
    lines.put_slice(object);
    lines.put_slice(b"}\n");
}

fn half_event(lines: &mut BytesMut, head: &str, object: &Bytes) {
    lines.put_slice(head.as_bytes());
    lines.put_slice(&object.slice(..object.len() / 2));
}

fn error(lines: &mut BytesMut, refusal: &Refusal) {
    event(lines, ERROR, refusal.status().to_string().as_bytes());
}
