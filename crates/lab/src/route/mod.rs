//! Links, addresses and routes over rtnetlink (`include/uapi/linux/rtnetlink.h`).

mod address;
mod constants;
mod link;
mod message;
mod socket;
mod table;

pub use link::{Bridge, LinkState, VethPair};
pub use socket::RouteSocket;
pub use table::Gateway;
