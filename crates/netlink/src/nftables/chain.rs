//! Chains.

use super::numbered::numbered;
use super::uapi::{chain, hook};
use super::userdata;
use crate::wire::attribute::AttributeSet;
use crate::wire::encoder::Encoder;

/// A chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// The name, at most 255 bytes.
    pub name: String,
    /// Where packets come from; `None` for a chain that other chains go to.
    pub base: Option<BaseChain>,
    /// A comment for people. Kernels before 5.10 do not keep it.
    pub comment: Option<String>,
}

/// Where a base chain is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BaseChain {
    /// The chain's type.
    pub kind: ChainKind,
    /// The hook.
    pub hook: Hook,
    /// The order among the chains of one hook, lowest first.
    pub priority: i32,
    /// What happens to a packet that leaves the chain at its end.
    pub policy: Policy,
}

/// The type of a base chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainKind {
    /// `filter`: sees every packet.
    Filter,
    /// `nat`: sees the first packet of each connection.
    Nat,
    /// `route`: reroutes packets that it changes.
    Route,
}

numbered! {
    /// Where in the network stack a base chain sees packets (`NF_INET_*`).
    pub enum Hook {
        /// Before the routing decision.
        Prerouting = 0,
        /// After it, packets for this node.
        Input = 1,
        /// After it, packets for others.
        Forward = 2,
        /// Packets made on this node.
        Output = 3,
        /// Last, packets that leave this node.
        Postrouting = 4,
    }
}

numbered! {
    /// The policy of a base chain (`NF_*`).
    #[derive(Default)]
    pub enum Policy {
        /// Packets are dropped.
        Drop = 0,
        /// Packets go on.
        #[default]
        Accept = 1,
    }
}

impl ChainKind {
    fn name(self) -> &'static str {
        match self {
            ChainKind::Filter => "filter",
            ChainKind::Nat => "nat",
            ChainKind::Route => "route",
        }
    }

    fn from_name(name: &str) -> Option<ChainKind> {
        match name {
            "filter" => Some(ChainKind::Filter),
            "nat" => Some(ChainKind::Nat),
            "route" => Some(ChainKind::Route),
            _ => None,
        }
    }
}

impl Chain {
    pub(super) fn encode(&self, table: &str, encoder: &mut Encoder) {
        encoder.text(chain::TABLE, table);
        encoder.text(chain::NAME, &self.name);
        if let Some(base) = &self.base {
            base.encode(encoder);
        }
        if let Some(comment) = &self.comment {
            encoder.attribute(chain::USERDATA, &userdata::comment(userdata::COMMENT, comment));
        }
    }

    pub(super) fn decode(attributes: &[u8]) -> Option<Chain> {
        let set = AttributeSet::<13>::parse(attributes)?;
        Some(Chain {
            name: set.text(chain::NAME)?.into_owned(),
            base: set.optional(chain::HOOK, BaseChain::decode)?,
            comment: userdata::text(set.get(chain::USERDATA), userdata::COMMENT),
        })
    }
}

impl BaseChain {
    fn encode(&self, encoder: &mut Encoder) {
        encoder.text(chain::TYPE, self.kind.name());
        encoder.be32(chain::POLICY, self.policy.number());
        encoder.nested(chain::HOOK, |encoder| {
            encoder.be32(hook::HOOKNUM, self.hook.number());
            encoder.be32(hook::PRIORITY, self.priority.cast_unsigned());
        });
    }

    fn decode(set: &AttributeSet<'_, 13>) -> Option<BaseChain> {
        let attachment = set.nested::<3>(chain::HOOK)?;
        Some(BaseChain {
            kind: ChainKind::from_name(&set.text(chain::TYPE)?)?,
            hook: Hook::from_number(attachment.be32(hook::HOOKNUM)?)?,
            priority: attachment.be32(hook::PRIORITY)?.cast_signed(),
            policy: Policy::from_number(set.be32(chain::POLICY)?)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_decoded_as_it_was_encoded() {
        let hooks = [Hook::Prerouting, Hook::Input, Hook::Forward, Hook::Output, Hook::Postrouting];
        for kind in [ChainKind::Filter, ChainKind::Nat, ChainKind::Route] {
            for hook in hooks {
                for policy in [Policy::Accept, Policy::Drop] {
                    let base = Some(BaseChain { kind, hook, priority: -101, policy });
                    check(&Chain { name: "c".into(), base, comment: Some("why".into()) });
                }
            }
        }
        check(&Chain { name: "lb-3".into(), ..Chain::default() });
    }

    fn check(chain: &Chain) {
        let mut encoder = Encoder::default();
        chain.encode("portolan", &mut encoder);
        assert_eq!(Chain::decode(encoder.bytes()), Some(chain.clone()));
    }
}
