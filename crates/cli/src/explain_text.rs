//! Explanations in words.

mod endpoints;
mod frontend;
mod service;
#[cfg(test)]
mod tests;
mod verdict;

use portolan_core::Printable;
use portolan_core::backend::LocalPods;
use portolan_core::explain::{Client, ClientKind, Explained, Explanation, Origin, Outcome};

/// The text of an answer.
pub(crate) fn text(answer: &Explained) -> String {
    match answer {
        Explained::Packet(explanation) => packet(explanation),
        Explained::Service(explanation) => service::text(explanation),
    }
}

/// Lines with a label each; one that continues has none.
struct Lines(String);

impl Lines {
    fn push(&mut self, label: &str, text: impl AsRef<str>) {
        let line = format!("  {label:10}{}", Printable(text.as_ref()));
        self.0.push_str(line.trim_end());
        self.0.push('\n');
    }

    /// A line under the one before.
    fn below(&mut self, text: impl AsRef<str>) {
        self.push("", format!("  {}", text.as_ref()));
    }

    fn heading(&mut self, text: &str) {
        self.0.push_str(&format!("\n  {}\n", Printable(text)));
    }
}

fn packet(explanation: &Explanation) -> String {
    let mut lines = Lines(format!("{}\n\n", headline(explanation)));
    frontend::describe(&mut lines, explanation);
    let all: Vec<Origin> =
        explanation.outcomes.iter().flat_map(|it| it.clients.iter().copied()).collect();
    for outcome in &explanation.outcomes {
        if explanation.outcomes.len() > 1 {
            lines.heading(&format!("{}:", clients(explanation, outcome, &all)));
        }
        verdict::describe(&mut lines, explanation, outcome);
    }
    lines.0
}

fn headline(explanation: &Explanation) -> String {
    let port = explanation.port;
    let to = match explanation.destination {
        Some(destination) => std::net::SocketAddr::new(destination, port).to_string(),
        None => format!("{} NodePort {port}", explanation.family),
    };
    let from = sender(&explanation.client).map_or(String::new(), |from| format!(" from {from}"));
    Printable(&format!("{} {to}{from}", explanation.protocol)).to_string()
}

/// Who asks, in the words of the question.
fn sender(client: &Client) -> Option<String> {
    let kind = client.kind.map(|kind| match kind {
        ClientKind::Pod => "a pod of this node",
        ClientKind::Node => "this node",
        ClientKind::Outside => "outside",
    });
    let address = client.address.map(|it| it.to_string());
    let interface = client.interface.as_ref().map(|it| match (client.kind, client.address) {
        (None, None) => format!("whoever comes in by {it}"),
        _ => format!("by {it}"),
    });
    let words: Vec<String> =
        kind.map(str::to_owned).into_iter().chain(address).chain(interface).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// Whose packets an outcome is about, among all that are possible.
fn clients(explanation: &Explanation, outcome: &Outcome, all: &[Origin]) -> String {
    let is_everyone = all.iter().all(|origin| outcome.clients.contains(origin));
    let names: Vec<String> = match is_everyone {
        true => Vec::new(),
        false => outcome.clients.iter().map(|it| origin(explanation, *it, all)).collect(),
    };
    let ranges = match outcome.in_source_ranges {
        Some(true) => Some("from one of these networks"),
        Some(false) => Some("from elsewhere"),
        None => None,
    };
    let who = if names.is_empty() { None } else { Some(names.join(" and ")) };
    let words: Vec<String> = who.into_iter().chain(ranges.map(str::to_owned)).collect();
    match words.is_empty() {
        true => sender(&explanation.client).unwrap_or("everyone".to_owned()),
        false => words.join(", "),
    }
}

fn origin(explanation: &Explanation, origin: Origin, all: &[Origin]) -> String {
    let Origin { local_pod, node } = origin;
    let recognised = recognised(&explanation.local_pods);
    match (local_pod, node) {
        (true, false) => format!("pods of this node ({recognised})"),
        (true, true) => format!("this node as a pod ({recognised})"),
        (false, true) => "this node".to_owned(),
        (false, false) if all.len() == 1 => "everyone".to_owned(),
        (false, false) => "everyone else".to_owned(),
    }
}

/// How pods of this node are recognised.
fn recognised(local_pods: &LocalPods) -> String {
    match local_pods {
        LocalPods::Unknown => "not recognised".to_owned(),
        LocalPods::Source(network) => format!("from {network}"),
        LocalPods::Interface(name) => format!("by {name}"),
        LocalPods::InterfacePrefix(prefix) => format!("by {prefix}…"),
    }
}
