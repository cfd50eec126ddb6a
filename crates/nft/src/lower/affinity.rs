//! Session affinity as bytecode.

use portolan_netlink::nftables::{Expression, MetaKey, Register};

use super::packet::Side;
use super::{FIRST, Lowering, lookup};
use crate::chain_name::EntryKind;
use crate::container::{Container, FIRST_SLOT};
use crate::statement::Statement;

impl Lowering {
    /// The statements that deal with seats; nothing for others.
    pub(super) fn affinity(&self, statement: &Statement) -> Vec<Expression> {
        match statement {
            Statement::RecallSeat(kind, pool) => {
                let mut expressions = self.client(*kind).0;
                expressions.push(lookup(Container::Affinity(*kind, *pool).name(), Some(FIRST)));
                expressions.push(set_priority());
                expressions
            }
            Statement::DrawSlot { slots } => vec![
                Expression::Numgen { modulus: *slots, offset: FIRST_SLOT, register: FIRST },
                set_priority(),
            ],
            Statement::FindSeat(kind, pool) => {
                let mut expressions = self.seat(*kind, Container::Seats(*kind, *pool));
                expressions.push(set_priority());
                expressions
            }
            Statement::RememberSeat { kind, pool, timeout } => {
                self.remember(*kind, Container::Affinity(*kind, *pool), *timeout)
            }
            Statement::TranslateToSeat(kind, pool) => {
                let mut expressions = self.seat(*kind, Container::SeatedEndpoints(*kind, *pool));
                expressions.push(self.translate());
                expressions
            }
            _ => Vec::new(),
        }
    }

    /// Loads the key of a client and a frontend; also returns the next free register.
    fn client(&self, kind: EntryKind) -> (Vec<Expression>, u8) {
        let words = self.address_words();
        let mut expressions = vec![self.address(Side::Source, 0)];
        let (frontend, word) = self.frontend_from(kind, words);
        expressions.extend(frontend);
        (expressions, word)
    }

    /// Looks up what a container has for the frontend and the number in the priority.
    fn seat(&self, kind: EntryKind, container: Container) -> Vec<Expression> {
        let (mut expressions, word) = self.frontend(kind);
        expressions
            .push(Expression::Meta { key: MetaKey::Priority, register: Register::Word(word) });
        expressions.push(lookup(container.name(), Some(FIRST)));
        expressions
    }

    fn remember(&self, kind: EntryKind, container: Container, timeout: u64) -> Vec<Expression> {
        let (mut expressions, word) = self.client(kind);
        let data = Register::Word(word);
        expressions.push(Expression::Meta { key: MetaKey::Priority, register: data });
        expressions.push(Expression::Update {
            set: container.name().to_owned(),
            key: FIRST,
            data: Some(data),
            timeout,
        });
        expressions
    }
}

fn set_priority() -> Expression {
    Expression::MetaSet { key: MetaKey::Priority, register: FIRST }
}
