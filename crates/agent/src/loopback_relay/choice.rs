//! Which endpoint a client gets.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use portolan_core::EndpointAddress;
use tokio::time::Instant;

use super::node_port::Target;

/// The choice of one NodePort, shared by those who serve its clients.
#[derive(Clone)]
pub(super) struct SharedChoice {
    choice: Arc<Mutex<Choice>>,
}

impl SharedChoice {
    pub(super) fn new(target: Target) -> SharedChoice {
        SharedChoice { choice: Arc::new(Mutex::new(Choice::new(target))) }
    }

    /// Chooses from `target` from now on.
    pub(super) fn tell(&self, target: Target) {
        self.lock().tell(target);
    }

    /// Chooses nobody from now on.
    pub(super) fn end(&self) {
        self.lock().target.endpoints.clear();
    }

    /// An endpoint that was not tried before.
    pub(super) fn choose(&self, tried: &[EndpointAddress]) -> Option<EndpointAddress> {
        self.lock().choose(tried, random(), Instant::now())
    }

    // No holder of the lock leaves it half written.
    fn lock(&self) -> MutexGuard<'_, Choice> {
        self.choice.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A target, and the endpoint that the one client there is, `::1`, is to keep.
pub(super) struct Choice {
    target: Target,
    kept: Option<Kept>,
}

#[derive(Clone, Copy)]
struct Kept {
    endpoint: EndpointAddress,
    /// The last time that a new connection got it.
    used: Instant,
}

impl Choice {
    pub(super) fn new(target: Target) -> Choice {
        Choice { target, kept: None }
    }

    /// An endpoint is kept only while it is there.
    pub(super) fn tell(&mut self, target: Target) {
        let same = target.service == self.target.service && target.affinity.is_some();
        self.kept = self.kept.filter(|kept| same && target.endpoints.contains(&kept.endpoint));
        self.target = target;
    }

    /// The endpoint that the client keeps, else one by `random`; none that was tried.
    pub(super) fn choose(
        &mut self,
        tried: &[EndpointAddress],
        random: u64,
        now: Instant,
    ) -> Option<EndpointAddress> {
        let endpoint = match self.kept(now).filter(|endpoint| !tried.contains(endpoint)) {
            Some(kept) => kept,
            None => draw(&self.target.endpoints, tried, random)?,
        };
        self.kept = self.target.affinity.map(|_| Kept { endpoint, used: now });
        Some(endpoint)
    }

    fn kept(&self, now: Instant) -> Option<EndpointAddress> {
        let (kept, timeout) = (self.kept?, self.target.affinity?);
        let fresh = now.saturating_duration_since(kept.used) < timeout;
        (fresh && self.target.endpoints.contains(&kept.endpoint)).then_some(kept.endpoint)
    }
}

fn draw(
    endpoints: &[EndpointAddress],
    tried: &[EndpointAddress],
    random: u64,
) -> Option<EndpointAddress> {
    let mut left = endpoints.iter().filter(|endpoint| !tried.contains(endpoint));
    let count = u64::try_from(left.clone().count()).ok().filter(|count| *count > 0)?;
    left.nth(usize::try_from(random % count).ok()?).copied()
}

/// The standard library seeds its hashers with random keys, another for each.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests;
