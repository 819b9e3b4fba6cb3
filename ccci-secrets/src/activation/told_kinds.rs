//! Kinds of things that are told: each has a stable name for programs and a sentence for people.

/// An enum whose every variant has a name and a sentence.
macro_rules! told_kinds {
    ($(#[$kind_doc:meta])* $kind:ident: $($(#[$doc:meta])* $name:ident = $word:literal $sentence:literal,)*) => {
        $(#[$kind_doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum $kind {
            $($(#[$doc])* $name,)*
        }

        impl $kind {
            /// Its stable name in reports.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// What it says of its subject.
            #[must_use]
            pub fn sentence(self) -> &'static str {
                match self { $(Self::$name => $sentence,)* }
            }
        }
    };
}

pub(super) use told_kinds;
