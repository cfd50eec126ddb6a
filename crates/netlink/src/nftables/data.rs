//! What elements and immediate expressions carry: bytes or a verdict.

use super::uapi::{data, verdict, verdict_code};
use crate::wire::attribute::{AttributeSet, until_zero};
use crate::wire::encoder::Encoder;

/// The data of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data<'a> {
    /// Where the packet goes next.
    Verdict(Verdict<'a>),
    /// The fields one after the other, each padded to 4 bytes if there are several.
    Bytes(&'a [u8]),
}

/// Where a packet goes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict<'a> {
    /// Out of the table, accepted.
    Accept,
    /// Nowhere.
    Drop,
    /// Back to the chain that jumped here.
    Return,
    /// To a chain, not to come back.
    Goto(&'a str),
    /// To a chain, and back after it.
    Jump(&'a str),
    /// A verdict that Portolan does not use (`NFT_CONTINUE`, `NFT_BREAK`, `NF_QUEUE`), by
    /// its number; or one that names its chain in no readable way.
    Other(i32),
}

/// A [`Verdict`] that owns the chain's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the same as in Verdict")]
pub enum OwnedVerdict {
    Accept,
    Drop,
    Return,
    Goto(String),
    Jump(String),
    Other(i32),
}

impl Data<'_> {
    /// Writes the data as an attribute of the given kind.
    pub(super) fn encode(self, kind: u16, encoder: &mut Encoder) {
        encoder.nested(kind, |encoder| match self {
            Data::Bytes(bytes) => encoder.attribute(data::VALUE, bytes),
            Data::Verdict(verdict) => verdict.encode(encoder),
        });
    }

    /// Reads what [`Data::encode`] puts inside its attribute.
    pub(super) fn decode(attributes: &[u8]) -> Option<Data<'_>> {
        let set = AttributeSet::<3>::parse(attributes)?;
        match set.get(data::VERDICT) {
            Some(verdict) => Verdict::decode(verdict).map(Data::Verdict),
            None => set.get(data::VALUE).map(Data::Bytes),
        }
    }
}

impl<'a> Verdict<'a> {
    fn encode(self, encoder: &mut Encoder) {
        let (code, chain) = match self {
            Verdict::Accept => (verdict_code::ACCEPT, None),
            Verdict::Drop => (verdict_code::DROP, None),
            Verdict::Return => (verdict_code::RETURN, None),
            Verdict::Goto(chain) => (verdict_code::GOTO, Some(chain)),
            Verdict::Jump(chain) => (verdict_code::JUMP, Some(chain)),
            Verdict::Other(code) => (code, None),
        };
        encoder.nested(data::VERDICT, |encoder| {
            encoder.be32(verdict::CODE, code.cast_unsigned());
            if let Some(chain) = chain {
                encoder.text(verdict::CHAIN, chain);
            }
        });
    }

    fn decode(attributes: &'a [u8]) -> Option<Verdict<'a>> {
        let set = AttributeSet::<3>::parse(attributes)?;
        let code = set.be32(verdict::CODE)?.cast_signed();
        let chain =
            set.get(verdict::CHAIN).and_then(|name| std::str::from_utf8(until_zero(name)).ok());
        Some(match (code, chain) {
            (verdict_code::ACCEPT, _) => Verdict::Accept,
            (verdict_code::DROP, _) => Verdict::Drop,
            (verdict_code::RETURN, _) => Verdict::Return,
            (verdict_code::GOTO, Some(chain)) => Verdict::Goto(chain),
            (verdict_code::JUMP, Some(chain)) => Verdict::Jump(chain),
            (code, _) => Verdict::Other(code),
        })
    }
}

impl OwnedVerdict {
    /// The same verdict, borrowed.
    pub fn as_verdict(&self) -> Verdict<'_> {
        match self {
            OwnedVerdict::Accept => Verdict::Accept,
            OwnedVerdict::Drop => Verdict::Drop,
            OwnedVerdict::Return => Verdict::Return,
            OwnedVerdict::Goto(chain) => Verdict::Goto(chain),
            OwnedVerdict::Jump(chain) => Verdict::Jump(chain),
            OwnedVerdict::Other(code) => Verdict::Other(*code),
        }
    }
}

impl From<Verdict<'_>> for OwnedVerdict {
    fn from(verdict: Verdict<'_>) -> OwnedVerdict {
        match verdict {
            Verdict::Accept => OwnedVerdict::Accept,
            Verdict::Drop => OwnedVerdict::Drop,
            Verdict::Return => OwnedVerdict::Return,
            Verdict::Goto(chain) => OwnedVerdict::Goto(chain.to_owned()),
            Verdict::Jump(chain) => OwnedVerdict::Jump(chain.to_owned()),
            Verdict::Other(code) => OwnedVerdict::Other(code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_decoded_as_it_was_encoded() {
        for wanted in [
            Data::Bytes(&[10, 0, 0, 1]),
            Data::Bytes(&[]),
            Data::Verdict(Verdict::Accept),
            Data::Verdict(Verdict::Drop),
            Data::Verdict(Verdict::Return),
            Data::Verdict(Verdict::Goto("lb-3")),
            Data::Verdict(Verdict::Jump("mark")),
            Data::Verdict(Verdict::Other(-2)),
        ] {
            let mut encoder = Encoder::default();
            wanted.encode(2, &mut encoder);
            let set = AttributeSet::<3>::parse(encoder.bytes()).unwrap();
            assert_eq!(Data::decode(set.get(2).unwrap()), Some(wanted));
        }
    }

    #[test]
    fn a_jump_without_a_readable_name_is_another_verdict() {
        let mut encoder = Encoder::default();
        encoder.nested(data::VERDICT, |encoder| {
            encoder.be32(verdict::CODE, verdict_code::GOTO.cast_unsigned());
            encoder.attribute(verdict::CHAIN, &[0xff, 0]);
        });
        assert_eq!(Data::decode(encoder.bytes()), Some(Data::Verdict(Verdict::Other(-4))));
    }
}
