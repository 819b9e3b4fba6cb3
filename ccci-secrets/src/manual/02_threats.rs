//! What an opened file proves, and what it does not.
//!
//! # What `Authentic` means
//!
//! An [`OpenFile`](crate::file::OpenFile) exists only once every sealed value opened and the MAC matched. That proves
//! ([`Authentic`](crate::mac::Authentic)):
//!
//! - Whoever sealed the file knew its data key.
//! - The values are those that were sealed, all of them, in that order, each of its type's bytes. A changed, added, removed
//!   or moved value is noticed: two items of one list have the same path and could be swapped as far as the cipher is
//!   concerned, and the MAC is what notices that.
//! - A sealed value stands where it was sealed: its path, made of the keys above it, is bound to it.
//!
//! # What it does not mean
//!
//! - **It does not say who sealed the file.** Recipients are public. Anybody who may write to the repository can put there a
//!   file of their own making, sealed to the same recipients, and it opens with a matching MAC. Who may write is for the
//!   repository to say: protected branches, signed commits, reviews.
//! - **It does not say that the file is the newest.** An older version of it is as authentic.
//! - **Comments are not covered.** A sealed comment is bound to the map or list around it and to the data key; that it is
//!   there at all, and where in the collection, is bound to nothing. One that opens at another place of the file is given
//!   back with a note ([`Note::MovedComment`](crate::file::Note::MovedComment)), one in the clear where a sealed one is due
//!   with another, and one that opens nowhere is an error.
//! - **Null, empty lists and empty maps are not covered**, nor are the keys above values in the clear: these can be renamed.
//! - **Values in the clear** are covered, unless the file says `mac_only_encrypted`. Then they may be anything; ask
//!   [`Leaf::assurance`](crate::file::Leaf::assurance), which tells for each value how it is protected.
//! - **Metadata is not covered**, but for `lastmodified`, to which the MAC is bound. Entries of recipients can be added and
//!   removed. The rule that says what is sealed is metadata, too: a change of it that concerns a value of the file makes
//!   the file unreadable, because a value that should be sealed and is not is refused, and one that is no longer counted as
//!   sealed is another value to the MAC. A change that concerns only keys to come is not noticed: who adds a value to a file
//!   should look at it afterwards.
//!
//! # What a sealed file shows
//!
//! All keys and the shape of the file, the type of each value, its length to the byte, which values are empty or null, how
//! many comments there are, who can open it, and when it was changed last; and by the length of `ccsec_layout`, how much was
//! spelled in a way that the rest of the file cannot hold. Two equal values do not look equal: every seal
//! draws a new nonce. Between two versions of a file it shows which values changed, because the others keep their
//! ciphertext.
//!
//! A recipient who was taken out of a file still opens every older version of it. The data key is the same until the file is
//! sealed anew, and whoever opened it once may have kept that key.
//!
//! # Ciphertext that serves again
//!
//! An envelope is used a second time only for the same value: under the same data key, at the same path, of the same type,
//! as the same one of several there, and spelled alike. Anything else would use a nonce twice. For the same reason the older
//! version that a plaintext is laid over must come from a trusted place
//! ([`DraftFile::onto`](crate::file::DraftFile::onto)): whoever made it knows its data key.
//!
//! # Without the MAC
//!
//! [`dangerous`](crate::dangerous) opens a file whose MAC is missing or does not match, for recovery and for `--ignore-mac`.
//! Each sealed value still has to open. What comes of it can be read and, once somebody
//! [takes its values as they are](crate::dangerous::adopt), changed; the data key, the recipients and all other envelopes
//! stay. It is another type than an opened file, and nothing that installs secrets takes it.
//!
//! # Plaintext in memory
//!
//! Plaintext lies in buffers that are wiped when they are dropped ([`Secret`](crate::secret::Secret)); it is in no message,
//! and leaves an opened file through calls named `expose` only. That does not help against whoever can read the memory of
//! the process, such as root.
