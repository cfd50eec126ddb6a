//! The comments of elements.

use portolan_core::ObjectName;
use portolan_netlink::nftables::clip_comment;

/// The longest comment that every nft reads back, in bytes, and how a longer one ends.
const COMMENT_LIMIT: usize = 127;
const ELLIPSIS: &str = "...";

/// `namespace/name:port`, as far as nft can print and read it.
pub(super) fn comment(service: &ObjectName, port: &str) -> Option<Box<str>> {
    let mut comment = service.to_string();
    if !port.is_empty() {
        comment.push(':');
        comment.push_str(port);
    }
    if comment.len() > COMMENT_LIMIT {
        let cut = COMMENT_LIMIT - ELLIPSIS.len();
        comment.truncate((0..=cut).rev().find(|at| comment.is_char_boundary(*at)).unwrap_or(0));
        comment.push_str(ELLIPSIS);
    }
    Some(clip_comment(&comment)).filter(|it| !it.is_empty()).map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_what_nft_reads_back() {
        let long = ObjectName::new(&"n".repeat(63), &"s".repeat(63));
        let cut = comment(&long, "https").unwrap();
        assert!(cut.len() == COMMENT_LIMIT && cut.ends_with(ELLIPSIS), "{cut}");
        let plain = ObjectName::new("a", "b");
        assert_eq!(comment(&plain, "").as_deref(), Some("a/b"));
        assert_eq!(comment(&plain, "c").as_deref(), Some("a/b:c"));
        assert_eq!(comment(&ObjectName::new("a", "b\" : drop }"), "c").as_deref(), Some("a/b"));
        assert_eq!(comment(&ObjectName::new("\n", "b"), "c"), None);
    }
}
