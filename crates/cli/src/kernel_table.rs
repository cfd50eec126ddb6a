//! What the kernel holds, as a table.

use portolan_core::Printable;
use portolan_nft::{KernelFrontend, KernelTable};

use crate::layout::Table;

/// One row for each address and port, by Service.
pub(crate) fn kernel_table(kernel: &KernelTable) -> Table<5> {
    let mut table = Table::new(["SERVICE", "ADDRESS", "PORT", "ENDPOINTS", "VERDICT"]);
    let mut frontends: Vec<&KernelFrontend> = kernel.frontends.iter().collect();
    frontends.sort_by_key(|frontend| &frontend.comment);
    for frontend in frontends {
        table.push([
            match &frontend.comment {
                Some(comment) => Printable(comment).to_string(),
                None => "(no comment)".to_owned(),
            },
            match frontend.address {
                Some(address) => address.to_string(),
                None => format!("NodePort {}", frontend.family),
            },
            format!("{}/{}", frontend.port, frontend.protocol),
            endpoints(frontend),
            Printable(&frontend.verdict).to_string(),
        ]);
    }
    table
}

fn endpoints(frontend: &KernelFrontend) -> String {
    let mut text = frontend.endpoints.len().to_string();
    if !frontend.local_endpoints.is_empty() {
        text.push_str(&format!(", {} local", frontend.local_endpoints.len()));
    }
    if frontend.empty_slots > 0 {
        text.push_str(&format!(", {} MISSING", frontend.empty_slots));
    }
    text
}

#[cfg(test)]
mod tests {
    use portolan_core::{EndpointAddress, Family, Protocol};

    use super::*;

    fn frontend(address: Option<&str>, comment: Option<&str>, verdict: &str) -> KernelFrontend {
        KernelFrontend {
            family: Family::V4,
            address: address.map(|address| address.parse().unwrap()),
            protocol: Protocol::Tcp,
            port: 80,
            comment: comment.map(str::to_owned),
            verdict: verdict.to_owned(),
            endpoints: vec![EndpointAddress { ip: [10, 244, 0, 1].into(), port: 8080 }],
            local_endpoints: Vec::new(),
            empty_slots: 0,
        }
    }

    #[test]
    fn a_table_says_what_the_kernel_holds() {
        let local = vec![EndpointAddress { ip: [10, 244, 0, 1].into(), port: 8080 }];
        let kernel = KernelTable {
            frontends: vec![
                frontend(Some("10.96.0.10"), Some("shop/web:http"), "lb-1"),
                KernelFrontend {
                    local_endpoints: local,
                    ..frontend(None, Some("shop/web:http"), "ext-1-1")
                },
                KernelFrontend { empty_slots: 2, ..frontend(Some("10.96.0.11"), None, "lb-3") },
            ],
            ..KernelTable::default()
        };
        insta::assert_snapshot!(kernel_table(&kernel).to_string());
    }

    #[test]
    fn no_comment_or_verdict_forges_a_row_or_commands_the_terminal() {
        let comment = Some("shop/x\nFAKE\u{1b}[31m");
        let kernel = KernelTable {
            frontends: vec![frontend(Some("10.96.0.10"), comment, "lb\r\u{9b}1")],
            ..KernelTable::default()
        };
        let text = kernel_table(&kernel).to_string();
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.contains(r"shop/x\nFAKE\u{1b}[31m  10.96.0.10"), "{text}");
        assert!(text.trim_end().ends_with(r"lb\r\u{9b}1"), "{text}");
    }
}
