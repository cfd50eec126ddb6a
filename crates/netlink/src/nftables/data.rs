//! What elements and immediate expressions carry: bytes or a verdict.

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
    /// its number.
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
