//! A Service as a table.

use portolan_core::Printable;
use portolan_core::explain::{Explanation, Origin, ServiceExplanation, Unserved};

use super::{clients, sender, verdict};
use crate::layout::Table;

/// One row for each address and port, and one more for each further kind of client.
pub(super) fn text(explanation: &ServiceExplanation) -> String {
    let ServiceExplanation { name, unserved, frontends, problems, pending } = explanation;
    let mut text = Printable(&name.to_string()).to_string();
    if let Some(from) = frontends.first().and_then(|first| sender(&first.client)) {
        text.push_str(&format!(" from {}", Printable(&from)));
    }
    text.push('\n');
    if *pending {
        text.push_str("it has changed since; this is what the kernel was given last\n");
    }
    if let Some(unserved) = unserved {
        text.push_str(&format!("nothing is served: {}\n", why(*unserved)));
    }
    if !frontends.is_empty() {
        text.push_str(&format!("\n{}", table(frontends)));
    }
    if !problems.is_empty() {
        text.push_str("\nNot served as written:\n");
        text.extend(problems.iter().map(|problem| format!("  {problem}\n")));
    }
    text
}

fn table(frontends: &[Explanation]) -> Table<4> {
    let mut table = Table::new(["ADDRESS", "PORT", "FROM", "NEW CONNECTIONS"]);
    for explanation in frontends {
        let all: Vec<Origin> =
            explanation.outcomes.iter().flat_map(|it| it.clients.iter().copied()).collect();
        let mut port = format!("{}/{}", explanation.port, explanation.protocol);
        for outcome in &explanation.outcomes {
            table.push([
                verdict::address(explanation),
                std::mem::take(&mut port),
                Printable(&clients(explanation, outcome, &all)).to_string(),
                verdict::brief(&outcome.verdict),
            ]);
        }
    }
    table
}

fn why(unserved: Unserved) -> &'static str {
    match unserved {
        Unserved::Unknown => "there is no such Service",
        Unserved::ExternalName => "it is of type ExternalName",
        Unserved::Headless => "it is headless, so clients use its endpoints directly",
        Unserved::NothingLeft => "nothing that it asks for can be",
    }
}
