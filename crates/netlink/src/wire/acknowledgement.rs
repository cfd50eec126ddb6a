//! The kernel's answer to a request: an acknowledgement or an error, with what it adds
//! since Linux 4.12 ("extended acknowledgement").

use super::attribute::AttributeSet;
use super::message::{self, Message};
use super::uapi::{flag, kind};

/// `NLMSGERR_ATTR_MSG`
const TEXT: u16 = 1;
/// `NLMSGERR_ATTR_OFFS`
const OFFSET: u16 = 2;

/// `struct nlmsgerr` and the attributes behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Acknowledgement {
    /// The error number, positive; zero if the request succeeded.
    pub(crate) error: i32,
    /// The kernel's words.
    pub(crate) text: Option<String>,
    /// Where in the request the attribute begins that the kernel objects to.
    pub(crate) offset: Option<usize>,
}

impl Acknowledgement {
    /// Reads a message of kind `NLMSG_ERROR`. `None` if it is too short to be one.
    pub(crate) fn decode(message: &Message<'_>) -> Option<Acknowledgement> {
        let (error, quoted) = message.payload().split_first_chunk()?;
        let error = i32::from_ne_bytes(*error).checked_neg()?;
        let mut acknowledgement = Acknowledgement { error, ..Acknowledgement::default() };
        if message.flags & flag::HAS_ATTRIBUTES != 0 {
            acknowledgement.read_attributes(message.flags, quoted);
        }
        Some(acknowledgement)
    }

    /// Reads what ends an answer: a message of kind `NLMSG_ERROR`, or of kind `NLMSG_DONE`,
    /// whose error number may be missing.
    pub(crate) fn decode_end(message: &Message<'_>) -> Option<Acknowledgement> {
        match message.payload() {
            [] if message.kind == kind::DONE => Some(Acknowledgement::default()),
            _ => Acknowledgement::decode(message),
        }
    }

    /// Attributes only explain: if they cannot be read, the error number has to do.
    fn read_attributes(&mut self, flags: u16, quoted: &[u8]) {
        let quoted_length = match quoted.first_chunk() {
            Some(length) if flags & flag::CAPPED == 0 => {
                usize::try_from(u32::from_ne_bytes(*length)).unwrap_or(usize::MAX)
            }
            _ => message::HEADER,
        };
        let attributes = quoted.get(super::align(quoted_length)..).unwrap_or_default();
        let Some(set) = AttributeSet::<3>::parse(attributes) else { return };
        self.text = set.text(TEXT).map(|text| text.into_owned());
        self.offset = set
            .get(OFFSET)
            .and_then(|bytes| bytes.try_into().ok())
            .and_then(|bytes| usize::try_from(u32::from_ne_bytes(bytes)).ok());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::message::{Header, Messages};
    use super::*;

    /// An error message as the kernel writes it: number, quoted header, attributes.
    fn message(flags: u16, error: i32, rest: &[u8]) -> Vec<u8> {
        let mut bytes = Header { kind: 2, flags, ..Header::default() }.encode()[..16].to_vec();
        bytes.extend(error.to_ne_bytes());
        bytes.extend(rest);
        let length = u32::try_from(bytes.len()).unwrap();
        bytes[..4].copy_from_slice(&length.to_ne_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Acknowledgement> {
        Acknowledgement::decode(&Messages::new(bytes).next()??)
    }

    #[test]
    fn text_and_offset_are_found_behind_a_capped_and_behind_a_whole_request() {
        let attributes = [7, 0, 1, 0, b'n', b'o', 0, 0, 8, 0, 2, 0, 24, 0, 0, 0];
        let wanted = Acknowledgement { error: 2, text: Some("no".to_owned()), offset: Some(24) };
        let mut capped = Header::default().encode()[..16].to_vec();
        capped.extend(attributes);
        assert_eq!(
            decode(&message(flag::CAPPED | flag::HAS_ATTRIBUTES, -2, &capped)),
            Some(wanted.clone())
        );
        let mut whole = Header::default().encode().to_vec();
        whole.extend(attributes);
        assert_eq!(decode(&message(flag::HAS_ATTRIBUTES, -2, &whole)), Some(wanted));
    }

    #[test]
    fn an_error_without_explanation_is_still_an_error() {
        let plain = Acknowledgement { error: 1, ..Acknowledgement::default() };
        assert_eq!(decode(&message(0, -1, &[0; 16])), Some(plain.clone()));
        assert_eq!(decode(&message(flag::HAS_ATTRIBUTES, -1, &[0xff; 20])), Some(plain));
        assert_eq!(decode(&message(0, i32::MIN, &[])), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_or_refused(
            flags: u16, error: i32, rest in prop::collection::vec(any::<u8>(), 0..100),
        ) {
            let _ = decode(&message(flags, error, &rest));
        }
    }
}
