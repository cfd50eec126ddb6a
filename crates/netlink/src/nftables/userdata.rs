//! User data: what nft attaches to objects for its own use, and the kernel keeps unread.
//! It is a row of entries: kind, length, bytes (`struct nftnl_udata` of libnftnl).

/// The comment of a table, chain, rule or element.
pub(super) const COMMENT: u8 = 0;
/// Flags of an element.
pub(super) const ELEMENT_FLAGS: u8 = 1;

/// The longest comment that nft reads from text, in bytes (`NFTNL_UDATA_COMMENT_MAXLEN`).
const COMMENT_MAX: usize = 128;

/// As much of a comment as nft can print and read again: at most 128 bytes, nothing from
/// the first quotation mark or control character on.
///
/// Every comment is cut to this when it is written; use it before comparing a comment with
/// one that was listed.
pub fn clip_comment(comment: &str) -> &str {
    clip(comment, COMMENT_MAX)
}

fn clip(comment: &str, limit: usize) -> &str {
    let end = comment
        .char_indices()
        .find(|&(start, c)| {
            c == '"' || c.is_control() || start.saturating_add(c.len_utf8()) > limit
        })
        .map_or(comment.len(), |(start, _)| start);
    comment.get(..end).unwrap_or_default()
}

/// Appends an entry. Content beyond the 255 bytes that an entry can have is cut off.
pub(super) fn put(buffer: &mut Vec<u8>, kind: u8, content: &[u8]) {
    let length = u8::try_from(content.len()).unwrap_or(u8::MAX);
    buffer.extend([kind, length]);
    buffer.extend(content.iter().take(usize::from(length)));
}

/// Appends a comment if there is room for it: an entry with a zero byte at its end that
/// makes the buffer no longer than `limit`.
pub(super) fn put_comment(buffer: &mut Vec<u8>, kind: u8, comment: &str, limit: usize) {
    let room = limit.saturating_sub(buffer.len().saturating_add(3));
    let comment = clip(comment, room.min(COMMENT_MAX));
    if let (false, Ok(length)) = (comment.is_empty(), u8::try_from(comment.len() + 1)) {
        buffer.extend([kind, length]);
        buffer.extend(comment.as_bytes());
        buffer.push(0);
    }
}

/// User data that is only a comment.
pub(super) fn comment(kind: u8, comment: &str) -> Vec<u8> {
    let mut buffer = Vec::new();
    put_comment(&mut buffer, kind, comment, super::uapi::USERDATA_MAX);
    buffer
}

/// The entry of a kind, if the user data has one and is well formed up to there.
pub(super) fn entry(mut data: &[u8], wanted: u8) -> Option<&[u8]> {
    loop {
        let (&[kind, length], rest) = data.split_first_chunk()?;
        let (content, rest) = rest.split_at_checked(usize::from(length))?;
        if kind == wanted {
            return Some(content);
        }
        data = rest;
    }
}

/// The text of an entry, if it is text.
pub(super) fn str(data: Option<&[u8]>, kind: u8) -> Option<&str> {
    let content = entry(data?, kind)?;
    std::str::from_utf8(crate::wire::attribute::until_zero(content)).ok()
}

/// The same, owned.
pub(super) fn text(data: Option<&[u8]>, kind: u8) -> Option<String> {
    str(data, kind).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_comment_is_written_as_nft_writes_it() {
        assert_eq!(comment(COMMENT, "hello"), b"\x00\x06hello\x00");
    }

    #[test]
    fn a_comment_is_cut_where_nft_could_not_read_it_again() {
        assert_eq!(clip_comment("a \"quoted\" word"), "a ");
        assert_eq!(clip_comment("two\nlines"), "two");
        assert_eq!(clip_comment(&"x".repeat(200)).len(), 128);
        assert_eq!(clip_comment(&"é".repeat(200)).len(), 128);
        assert_eq!(clip_comment(&format!("x{}", "é".repeat(200))).len(), 127);
        assert_eq!(comment(COMMENT, ""), b"");
    }

    #[test]
    fn a_comment_never_makes_user_data_too_long() {
        let mut buffer = vec![0; 250];
        put_comment(&mut buffer, 7, "long enough", 256);
        assert_eq!(buffer.len(), 256);
        put_comment(&mut buffer, 7, "more", 256);
        assert_eq!(buffer.len(), 256);
    }

    proptest! {
        #[test]
        fn a_clipped_comment_is_read_as_it_was_written(text in any::<String>()) {
            let wanted = Some(clip_comment(&text)).filter(|text| !text.is_empty());
            let written = comment(COMMENT, &text);
            prop_assert_eq!(str(Some(&written), COMMENT), wanted);
        }

        #[test]
        fn any_bytes_are_searched_to_an_end(data in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = text(Some(&data), 7);
        }
    }
}
