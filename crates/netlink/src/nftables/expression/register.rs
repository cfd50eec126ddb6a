//! Registers.

/// A register of the nf_tables machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Register {
    /// The verdict (`NFT_REG_VERDICT`).
    Verdict,
    /// One of sixteen words of 4 bytes, numbered from 0 (`NFT_REG32_00`). A longer value,
    /// such as a concatenation, fills the words that follow. The kernel refuses numbers
    /// above 15.
    Word(u8),
}

/// `NFT_REG_1` to `NFT_REG_4`, each of 16 bytes, are the older names of every fourth word.
/// nft and the kernel use them where they can.
const WORDS_PER_REGISTER: u8 = 4;
const WORDS: u8 = 16;
/// `NFT_REG32_00`
const FIRST_WORD: u32 = 8;

impl Register {
    /// The kernel's number.
    pub(crate) fn number(self) -> u32 {
        match self {
            Register::Verdict => 0,
            Register::Word(word) if word < WORDS && word % WORDS_PER_REGISTER == 0 => {
                u32::from(word / WORDS_PER_REGISTER).saturating_add(1)
            }
            Register::Word(word) => FIRST_WORD.saturating_add(u32::from(word)),
        }
    }

    /// The register of that number, under either of its names.
    pub(crate) fn from_number(number: u32) -> Option<Register> {
        let number = u8::try_from(number).ok()?;
        match number {
            0 => Some(Register::Verdict),
            1..=4 => Some(Register::Word((number - 1) * WORDS_PER_REGISTER)),
            8..=23 => Some(Register::Word(number - 8)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_register_has_the_number_that_nft_gives_it() {
        assert_eq!(Register::Verdict.number(), 0);
        let numbers: Vec<_> = (0..16).map(|word| Register::Word(word).number()).collect();
        assert_eq!(numbers, [1, 9, 10, 11, 2, 13, 14, 15, 3, 17, 18, 19, 4, 21, 22, 23]);
        for word in 0..16 {
            let register = Register::Word(word);
            assert_eq!(Register::from_number(register.number()), Some(register));
        }
        assert_eq!(Register::from_number(8), Some(Register::Word(0)));
    }

    #[test]
    fn numbers_that_are_no_register_are_not_taken_for_one() {
        for number in [5, 6, 7, 24, 255, 256, u32::MAX] {
            assert_eq!(Register::from_number(number), None, "{number}");
        }
    }
}
