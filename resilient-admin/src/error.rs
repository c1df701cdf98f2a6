//! Why a router cannot be built.

/// Why a router cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Nothing says who may do what.
    #[error(
        "the admin router has no authoriser: give it one with `.authorize(..)`, or say with \
         `.insecure()` that everybody who reaches it may read and act"
    )]
    NoAuthorizer,
    /// A token that could be guessed.
    #[error("a token has to have at least {least} bytes; take random ones")]
    ShortToken {
        /// The fewest bytes.
        least: usize,
    },
    /// A token that no header can hold as it is.
    #[error("a token has to be of printable ASCII characters without spaces")]
    UnsendableToken,
}
