//! Bearer material: values that exist in the clear only while they are handed over, and the digests that recognise them.
use secrecy::SecretString;
use subtle::ConstantTimeEq as _;

macro_rules! bytes32 {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $name([u8; 32]);
        impl $name {
            /// Wraps the 32 bytes.
            #[must_use] pub const fn new(bytes: [u8; 32]) -> Self { Self(bytes) }
            /// The 32 bytes, for adapters.
            #[must_use] pub const fn as_bytes(&self) -> &[u8; 32] { &self.0 }
        }
        impl PartialEq for $name {
            /// Takes the same time whatever the bytes.
            fn eq(&self, other: &Self) -> bool { self.0.ct_eq(&other.0).into() }
        }
        impl Eq for $name {}
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(concat!(stringify!($name), "(..)")) }
        }
    };
}

bytes32!(
    /// Keyed digest of a token. Compared in constant time; not shown even in debug output.
    Digest
);
bytes32!(
    /// MAC over a row, under a key that the database does not hold.
    Seal
);

impl Digest {
    /// A digest that no token has: for values that come without one.
    #[must_use]
    pub const fn none() -> Self {
        Self([0; 32])
    }
}

/// A token just made: its text, shown or sent once, and what is stored of it.
#[derive(Debug)]
pub struct Minted {
    /// The whole text.
    pub text: SecretString,
    /// What is stored.
    pub digest: Digest,
}

/// An API key just made.
#[derive(Debug)]
pub struct MintedKey {
    /// The whole text, shown once.
    pub text: SecretString,
    /// What is stored.
    pub digest: Digest,
    /// Its beginning, to recognise it by.
    pub prefix: String,
    /// The end of its secret part, to recognise it by.
    pub last4: String,
}
