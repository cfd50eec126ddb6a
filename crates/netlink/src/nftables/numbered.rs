//! Enumerations whose variants stand for numbers of the kernel.

/// Declares an enumeration with the kernel's number of each variant, so that both
/// directions of the codec come from one list.
macro_rules! numbered {
    ($(#[$attribute:meta])* pub enum $Name:ident {
        $($(#[$variant_attribute:meta])* $Variant:ident = $number:literal,)+
    }) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $Name {
            $($(#[$variant_attribute])* $Variant,)+
        }

        impl $Name {
            /// The kernel's number.
            pub(crate) const fn number(self) -> u32 {
                match self {
                    $($Name::$Variant => $number,)+
                }
            }

            /// The variant of that number, if there is one.
            pub(crate) const fn from_number(number: u32) -> Option<$Name> {
                match number {
                    $($number => Some($Name::$Variant),)+
                    _ => None,
                }
            }
        }
    };
}

pub(crate) use numbered;
