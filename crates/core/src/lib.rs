//! Services, EndpointSlices, endpoint selection and the plan.
//!
//! ```text
//!  Update ──▶ Index ──▶ select ──▶ compile ──▶ ServicePlan ──▶ Change (old, new)
//! ```
//!
//! [`Index`] keeps what the cluster said and the plan that follows from it. An
//! [`Update`] marks the services it touches; [`Index::take_changes`] compiles those
//! again and hands out what really changed. Backends, `dump`, `render`, `explain` and the
//! tests all read the same [`ServicePlan`]; no backend looks at a Service again.
//!
//! Pure: no async, no clock, no Kubernetes client, no kernel.
#![forbid(unsafe_code)]

mod address;
pub mod backend;
mod claim;
mod compile;
mod endpoint_gone;
pub mod explain;
pub mod flows;
mod health_check;
mod index;
mod ipvs_scheduler;
mod merge;
pub mod model;
pub mod plan;
mod printable;
mod problem;
mod select;
mod source_ranges;
mod update;

pub use backend::{
    Backend, BackendError, CheckError, Draining, Environment, Remembered, SyncReport,
};
pub use endpoint_gone::WhenEndpointGone;
pub use health_check::HealthCheck;
pub use index::{Index, IndexCounts};
pub use ipvs_scheduler::{IpvsScheduler, NoScheduler};
pub use model::{
    Conditions, Endpoint, EndpointPort, EndpointSlice, Family, Hints, NodeInfo, ObjectName,
    Protocol, Service, ServicePort, ServiceType, SessionAffinity,
};
pub use plan::{
    Action, Change, Destination, EndpointAddress, Frontend, Masquerade, Pool, PortPlan,
    ServicePlan, Traffic,
};
pub use printable::Printable;
pub use problem::{ObjectKind, Problem};
pub use select::{Candidate, Placement, Selection, SelectionPolicy, select};
pub use update::Update;
