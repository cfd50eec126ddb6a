//! The faults that there are.

use std::time::Duration;

/// Something that goes wrong.
///
/// A list is a GET of many objects or of one; a watch resumes from a version, or begins with
/// the whole state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Requests are refused with a status of HTTP and the words that an API server has for
    /// it. Counts requests.
    Refused {
        /// 400 to 599.
        code: u16,
        /// `Retry-After`, in seconds.
        retry_after: Option<u32>,
    },
    /// The server has never heard of the resource: 404 in plain text. Counts requests.
    Unknown,
    /// The connection is cut instead of an answer. Counts requests.
    CutBeforeAnswer,
    /// The connection is cut in the middle of a list, and of the first events of a watch
    /// that begins with the whole state. Counts requests.
    CutInList,
    /// A list is half of what it should be, and no JSON. Counts requests.
    GarbledList,
    /// Requests are never answered. Counts requests.
    Unanswered,
    /// Answers begin, and nothing follows for ever; watches that are open fall silent too.
    /// Counts requests, and watches that are open.
    Silence,
    /// Answers come this slowly. Counts requests.
    Trickle {
        /// How many at a time.
        bytes: usize,
        /// Before each of them.
        pause: Duration,
    },
    /// A watch that resumes begins and ends with the event for a version that is gone, as
    /// the watch cache of an API server tells it; [`Fault::Refused`] with 410 is an answer
    /// without it. Counts requests.
    Expired,
    /// A watch ends with the event for a version that is gone, instead of an event that it
    /// would send. Counts events.
    ExpiredInWatch,
    /// The connection of a watch is cut in the middle of an event. Counts events.
    CutInEvent,
    /// A watch sends something that is no JSON instead of an event. Counts events.
    GarbledEvent,
    /// A watch sends events twice. Counts events.
    DuplicateEvents,
    /// A watch ends after this time, whatever its client asked for. Counts requests.
    ShortWatches(Duration),
    /// Streaming lists are refused, as by a server that has them switched off. Counts
    /// requests.
    StreamingListsRefused {
        /// 422, or 400 of servers before Kubernetes 1.27, which do not know the parameter.
        code: u16,
    },
    /// A request for a streaming list is answered as by servers that do not know it: with
    /// the objects, and without a word that they are complete. Counts requests.
    StreamingListsIgnored,
    /// The server lags behind others: it has not heard of anything after this resource
    /// version, which may be older than what it told before. What is forgotten (see
    /// [`Store::compact`](crate::Store::compact)) cannot be told. Does not count.
    Behind {
        /// The newest that is told.
        resource_version: u64,
    },
}

/// When a fault may strike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// A request for one object or many.
    List,
    /// A request for a watch that resumes.
    Resume,
    /// A request for a watch that begins with the whole state.
    Begin,
    /// The same, that asks to be told when it is complete.
    StreamingList,
    /// A watch is open.
    Open,
    /// A watch is about to send an event.
    Event,
}

impl Moment {
    fn is_request(self) -> bool {
        !matches!(self, Moment::Open | Moment::Event)
    }
}

impl Fault {
    pub(super) fn strikes_at(&self, moment: Moment) -> bool {
        match self {
            Fault::Refused { .. }
            | Fault::Unknown
            | Fault::CutBeforeAnswer
            | Fault::Unanswered
            | Fault::Trickle { .. } => moment.is_request(),
            Fault::CutInList => {
                matches!(moment, Moment::List | Moment::Begin | Moment::StreamingList)
            }
            Fault::GarbledList => moment == Moment::List,
            Fault::Silence => moment == Moment::List || moment == Moment::Open,
            Fault::Expired => moment == Moment::Resume,
            Fault::ExpiredInWatch
            | Fault::CutInEvent
            | Fault::GarbledEvent
            | Fault::DuplicateEvents => moment == Moment::Event,
            Fault::ShortWatches(_) => moment.is_request() && moment != Moment::List,
            Fault::StreamingListsRefused { .. } | Fault::StreamingListsIgnored => {
                moment == Moment::StreamingList
            }
            Fault::Behind { .. } => false,
        }
    }

    pub(super) fn newest(&self) -> Option<u64> {
        match self {
            Fault::Behind { resource_version } => Some(*resource_version),
            _ => None,
        }
    }
}
