use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::Deserialize;
use serde_json::Value;

/// An address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
pub enum IpFamily {
    /// IPv4.
    #[serde(rename = "IPv4")]
    V4,
    /// IPv6.
    #[serde(rename = "IPv6")]
    V6,
}

impl IpFamily {
    /// Both.
    pub const BOTH: [IpFamily; 2] = [IpFamily::V4, IpFamily::V6];

    /// The family of an address.
    #[must_use]
    pub fn of(address: IpAddr) -> IpFamily {
        if address.is_ipv4() { IpFamily::V4 } else { IpFamily::V6 }
    }

    fn other(self) -> IpFamily {
        if self == IpFamily::V4 { IpFamily::V6 } else { IpFamily::V4 }
    }
}

/// An address or network in IPv4, and the one that has its part in IPv6.
type Pair<T> = (T, T);

/// The file of names.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Roles {
    /// Addresses of the node under test, with the networks that they are in.
    node: BTreeMap<String, Pair<IpNet>>,
    pods: BTreeMap<String, Pair<IpAddr>>,
    remote_pods: BTreeMap<String, Pair<IpAddr>>,
    clients: BTreeMap<String, Pair<IpAddr>>,
    /// Addresses that no host has unless a sequence gives them to the node.
    services: BTreeMap<String, Pair<IpAddr>>,
    networks: BTreeMap<String, Pair<IpNet>>,
    /// Names that stand for several of the above.
    groups: BTreeMap<String, Vec<String>>,
}

/// Who has which address in one family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cast {
    /// The family.
    pub family: IpFamily,
    /// The node's own addresses, with their networks.
    pub node: Vec<IpNet>,
    /// Pods on the node.
    pub pods: Vec<IpAddr>,
    /// Pods on other nodes.
    pub remote_pods: Vec<IpAddr>,
    /// Hosts outside the cluster.
    pub clients: Vec<IpAddr>,
    /// Addresses that Services claim.
    pub services: Vec<IpAddr>,
    /// What stands for a name; names of the other family begin with `other/`.
    meanings: BTreeMap<String, Value>,
}

impl Roles {
    pub(super) fn of(&self, family: IpFamily) -> Cast {
        let mut meanings = self.meanings(family);
        let others = self.meanings(family.other()).into_iter();
        meanings.extend(others.map(|(name, value)| (format!("other/{name}"), value)));
        let all = |list: &BTreeMap<String, Pair<IpAddr>>| {
            list.values().map(|pair| pick(pair, family)).collect()
        };
        Cast {
            family,
            node: self.node.values().map(|pair| pick(pair, family)).collect(),
            pods: all(&self.pods),
            remote_pods: all(&self.remote_pods),
            clients: all(&self.clients),
            services: all(&self.services),
            meanings,
        }
    }

    fn meanings(&self, family: IpFamily) -> BTreeMap<String, Value> {
        let hosts = [&self.pods, &self.remote_pods, &self.clients, &self.services];
        let hosts = hosts.into_iter().flatten();
        let mut meanings: BTreeMap<String, Value> =
            hosts.map(|(name, pair)| (name.clone(), text(pick(pair, family)))).collect();
        let node = self.node.iter();
        meanings.extend(node.map(|(name, it)| (name.clone(), text(pick(it, family).addr()))));
        let networks = self.networks.iter();
        meanings.extend(networks.map(|(name, pair)| (name.clone(), text(pick(pair, family)))));
        for (name, members) in &self.groups {
            let members = members.iter().filter_map(|member| meanings.get(member).cloned());
            let members = members.collect();
            meanings.insert(name.clone(), Value::Array(members));
        }
        meanings
    }
}

impl Cast {
    /// The same data with every name replaced by what it stands for, keys of maps included.
    pub(super) fn replace_names(&self, value: &Value) -> Value {
        match value {
            Value::String(name) => self.meanings.get(name).unwrap_or(value).clone(),
            Value::Array(list) => list.iter().map(|it| self.replace_names(it)).collect(),
            Value::Object(map) => map
                .iter()
                .map(|(key, value)| {
                    let address = self.meanings.get(key).and_then(Value::as_str);
                    (address.unwrap_or(key).to_owned(), self.replace_names(value))
                })
                .collect(),
            other => other.clone(),
        }
    }
}

fn pick<T: Copy>(pair: &Pair<T>, family: IpFamily) -> T {
    if family == IpFamily::V4 { pair.0 } else { pair.1 }
}

fn text(value: impl ToString) -> Value {
    Value::String(value.to_string())
}
