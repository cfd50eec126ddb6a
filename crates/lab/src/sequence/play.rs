use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde_json::Value;

use super::Step;
use crate::{Connection, Protocol, Topology};

/// Where silence is expected, it is waited for so long; an answer may take [`PATIENCE`].
pub(super) const SILENCE: Duration = Duration::from_millis(300);
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// A sequence that is being played: its objects, and what is to be kept from step to step.
#[derive(Debug)]
pub struct Play {
    pub(super) objects: Value,
    /// Who was answered by whom, by the name that it is remembered by.
    pub(super) remembered: BTreeMap<String, BTreeMap<IpAddr, IpAddr>>,
    pub(super) connections: BTreeMap<String, Connection>,
    /// Names of what is remembered stand for nobody.
    anonymous: bool,
    /// See [`Play::fresh_port`].
    next_port: u16,
}

/// Ports from here on are no server's.
const FIRST_PORT: u16 = 40_000;

impl Play {
    pub(super) fn new(objects: Value) -> Play {
        Play {
            objects,
            remembered: BTreeMap::new(),
            connections: BTreeMap::new(),
            anonymous: false,
            next_port: FIRST_PORT,
        }
    }

    /// The source port of a probe that is to be a flow of its own. The kernel's own choice would
    /// now and then be that of an earlier datagram, and find its flow: where that led to is no
    /// matter of the objects of now.
    pub(super) fn fresh_port(&mut self, protocol: Protocol) -> u16 {
        if protocol != Protocol::Udp {
            return 0;
        }
        let port = self.next_port;
        self.next_port = port.checked_add(1).unwrap_or(FIRST_PORT);
        port
    }

    /// From now on what packets would have shown is of no matter.
    pub(super) fn knows_nobody(&mut self) {
        self.anonymous = true;
    }

    /// Sends the packets of a step, whose objects the node serves by now, and says in which
    /// ways that is not what must become of them.
    pub fn observe(&mut self, step: &Step, topology: &Topology) -> Vec<String> {
        let mut faults = self.send_packets(&step.packets, topology);
        for ask in &step.asks {
            faults.extend(self.ask(ask, topology));
        }
        for name in &step.alive {
            faults.extend(self.exchange(name));
        }
        faults
    }

    fn exchange(&mut self, name: &str) -> Option<String> {
        let Some(connection) = self.connections.get_mut(name) else {
            return Some(format!("no connection {name} was opened"));
        };
        let endpoint = connection.endpoint();
        let broken = connection.exchange(PATIENCE).err()?;
        Some(format!("the connection {name} to {endpoint} is not alive: {broken}"))
    }

    /// A patch with every key `$NAME` replaced by the only endpoint remembered by that name.
    pub(super) fn replace_remembered(&self, patch: &Value) -> Result<Value, String> {
        let Value::Object(map) = patch else {
            // No change at all.
            let empty = Value::Object(serde_json::Map::new());
            return Ok(if patch.is_null() { empty } else { patch.clone() });
        };
        let mut replaced = serde_json::Map::new();
        for (key, value) in map {
            let value = match value {
                Value::Object(_) => self.replace_remembered(value)?,
                other => other.clone(),
            };
            match key.strip_prefix('$') {
                None => drop(replaced.insert(key.clone(), value)),
                Some(_) if self.anonymous => {}
                Some(name) => {
                    let answers = self.remembered.get(name).map(|it| it.values());
                    let address = answers.and_then(|mut it| it.next());
                    let address = address.ok_or_else(|| format!("nobody is known as {name}"))?;
                    replaced.insert(address.to_string(), value);
                }
            }
        }
        Ok(Value::Object(replaced))
    }
}
