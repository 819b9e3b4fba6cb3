//! The format: which files are read and written, what is refused, and what a round trip keeps.
//!
//! # What is followed
//!
//! The format is what sops 3.13.3 reads and writes. Where its documentation and the program differ, the program counts. The
//! test suite seals files with sops 3.13.3, 3.13.1 and 3.9.0, as far as they are installed, opens them here, and the other
//! way round: YAML, JSON, dotenv, INI and binary files, the six rules that say which values are sealed,
//! `mac_only_encrypted`, key groups, and every type of value. 3.13.2 is left out: it computes a wrong MAC over comments in
//! lists. Files that these versions made are kept in `testdata/sops`.
//!
//! YAML is read as go-yaml v3.0.4 reads it, INI as ini.v1 1.67.3 does. Each run of the tests reads 20,000 made-up files of
//! either kind with both programs; `CCSEC_TEST_DOCUMENTS` asks for more, and `CCSEC_TEST_SEED` for others.
//!
//! Three things look different in files that are made here, and sops reads all of them:
//!
//! - Nothing is laid out anew. A sealed file has the lines, quotes and comments of its plaintext, and a field more where
//!   that is not enough.
//! - A sealed comment in a YAML list stands as a comment, `#ENC[…]`, where sops makes an item of it.
//! - The metadata of INI files holds real line breaks, in triple quotes. 3.13.1 writes them this way and reads nothing else;
//!   3.13.3 and 3.9.0 write `\n` and read both.
//!
//! # What sops cannot do with its own files
//!
//! - A comment in a list under `encrypted_comment_regex` makes a file that sops 3.13.3 itself cannot open. It opens here.
//! - A threshold that sops 3.9.0 writes into INI, `2.000000`, is read neither by that version nor by 3.13.3. It is read here.
//! - YAML documents that were sealed one by one and then put into one file are opened one by one
//!   ([`SealedFile::parse_apart`](crate::file::SealedFile::parse_apart)); sops takes the first key for all of them.
//!
//! # What is refused here
//!
//! These inputs are refused although sops 3.13.3 seals them, each because something would be lost or could not be read
//! back. `⏎` is a line break, and `⟨ff⟩` a byte.
//!
//! | format | input | message | why |
//! |---|---|---|---|
//! | yaml | `a: &x k⏎*x : v⏎` | an alias as a key is not supported | sops writes the name out; the name of a sealed value must not depend on another line |
//! | yaml | `!!binary YQ==: v⏎` | a key is not a string | the same |
//! | yaml | `--- null⏎` | the top level is not a map | a document without a map has no place for metadata; sops makes `{}` of it |
//! | yaml | `a: 1⏎--- ~⏎` | the top level is not a map | the same |
//! | yaml | `⟨ff⟩⟨fe⟩a⟨00⟩:⟨00⟩ ⟨00⟩b⟨00⟩⏎⟨00⟩` | the file is UTF-16 | nothing could be given back in the encoding that it came in |
//! | yaml | `⟨ef⟩⟨bb⟩⟨bf⟩⟨ef⟩⟨bb⟩⟨bf⟩a: 1⏎` | two byte order marks | the second one is text to some readers |
//! | json | `{"a":"⟨ff⟩"}` | not UTF-8 | sops puts U+FFFD in its place |
//! | ini | `[a]⏎b=1⏎b=2⏎` | the key `b` is already in this map | sops keeps the last one and drops the others |
//! | ini | `[a] b⏎c=1⏎` | text behind a section header would be lost | sops drops it |
//! | ini | ``k = `q`r⏎`` | text behind a closing quote would be lost | sops drops it |
//!
//! Nesting ends at [`MAX_DEPTH`](crate::document::MAX_DEPTH) levels in every format, where go-yaml and sops go on to 10,000;
//! a file may have 4 GiB; and aliases may stand for a fixed number of nodes in all. A pattern that the `regex` crate cannot
//! give the meaning that it has in Go is refused when the rule is read.
//!
//! A conversion (`--output-type`) is refused where the result could not be opened again: null, lists and maps in formats
//! that hold text only, bytes that are no text in JSON, several documents in a format with one, keys that stand twice in
//! YAML. In `.sops.yaml`, a key that means nothing is refused inside of a creation rule, a key group or `stores`, where sops
//! would not notice a typing error; and so are lists and maps as keys.
//!
//! # What a round trip keeps, and what can lose it
//!
//! Sealing and opening gives back the bytes of the file. Most of them are simply not touched, and the quotes of a value
//! stand around its envelope; between brackets, where an envelope cannot do without quotes, a `\u005d` at its end says that the
//! value had none. How a value was spelled beyond that is not part of the format of sops. Where it would be lost,
//! the file gets one more field of metadata, `ccsec_layout`, sealed with the data key and bound to the MAC: it holds
//! spellings, and each is used only where it still means the same value. Files that need no such field have none, and other
//! programs skip it.
//!
//! sops drops the field when it writes the file, together with the rest of the layout. Without the field, this is what
//! comes back:
//!
//! | format | written | comes back as | why |
//! |---|---|---|---|
//! | yaml | `a: 0x1F⏎` | `a: 31⏎` | sops does not read this spelling inside an envelope |
//! | yaml | `a: 0b11⏎` | `a: 3⏎` | the same |
//! | yaml | `a: 0o17⏎` | `a: 15⏎` | the same |
//! | yaml | `a: 017⏎` | `a: 15⏎` | inside an envelope, it would be 17 |
//! | yaml | `a: 1_000⏎` | `a: 1000⏎` | sops does not read this spelling inside an envelope |
//! | yaml | `a: yes⏎` | `a: "yes"⏎` | readers of YAML 1.1 take it for a bool, so that sops writes quotes around it |
//! | yaml | `a: 1:30⏎` | `a: "1:30"⏎` | they take it for a number to the base of 60 |
//! | yaml | `a: TRUE⏎` | `a: true⏎` | other readers of the format take `True` only |
//! | yaml | `a: 2001-12-14T1:2:3Z⏎` | `a: 2001-12-14T01:02:03Z⏎` | a time is sealed in the one form of RFC 3339 |
//! | yaml | `a: one⏎  two⏎` | `a: one two⏎` | line breaks that are read as blanks are not part of the value |
//! | yaml | `a: "one⏎  two"⏎` | `a: "one two"⏎` | the same |
//! | yaml | `a: >⏎  one⏎  two⏎` | `a: >⏎  one two⏎` | the same |
//! | yaml | `a: "x\⏎  y"⏎` | `a: "xy"⏎` | the same |
//! | yaml | `a: "\u00e9"⏎` | `a: "é"⏎` | which characters were escaped is not part of the value |
//! | yaml | `a: &x v⏎b: *x⏎` | `a: &x v⏎b: v⏎` | one ciphertext cannot stand at two paths; an alias to values in the clear stays |
//! | yaml | `a: !!int "5"⏎` | `a: 5⏎` | with this tag, sops does not read an envelope |
//! | yaml | `a: !!binary YWJj⏎` | `a: abc⏎` | the same |
//! | json | `{"a": "\u00e9"}⏎` | `{"a": "é"}⏎` | which characters were escaped is not part of the value |
//! | json | `{"a": "\/"}⏎` | `{"a": "/"}⏎` | the same |
//! | ini | `a = x \⏎  y⏎` | `a = x y⏎` | a value that goes on in the next line is one line |
//!
//! A field that does not fit the file, because a line of the file was changed by hand, is left out with a note
//! ([`Note::LayoutLost`](crate::file::Note::LayoutLost)); the values are right all the same.
//!
//! # What a round trip loses all the same
//!
//! | format | written | comes back as | why |
//! |---|---|---|---|
//! | yaml | `a: !!int # c⏎  5⏎` | `a: # c⏎  5⏎` | the tag goes, and what stands between it and its value stays |
//! | yaml | `a: &x [ [], # c⏎]⏎b: *x⏎` | `a: &x [ [], # c⏎]⏎b: [[]]⏎` | only a comment is sealed, and no value is there that the alias could be found by |
//! | ini | `a = b⟨0d⟩` | `a = b` | half a line break at the very end is taken for one that came with the metadata |
//!
//! # Flags that differ
//!
//! Flags, variables and exit codes of `decrypt`, `edit`, `encrypt`, `set` and `unset` are those of sops, with these
//! differences:
//!
//! | sops | ccsec |
//! |---|---|
//! | `-d`, `-e`, `-i -d`, `--set` without a command; a file alone | refused, with the command that does it |
//! | flags of a command that stand before it have no effect | refused; `--config`, `--indent` and `--mac-only-encrypted` count there as in sops |
//! | flags behind a file that is named after a flag may have no effect | count wherever they stand |
//! | `--input-type` and `--output-type` take any word | take the five formats |
//! | `--ignore-mac` says nothing | warns when the MAC does not match; keeps a comment that does not open |
//! | `--indent` lays out the whole file | lays out what is new: another format, the JSON around a binary file, and the `sops` block of a new YAML file |
//! | `set` takes JSON but no lists, and numbers become floats | takes all of JSON, and integers stay integers; `--raw` takes bytes as they are |
//! | `set`, `unset` and `edit --output-type` make another format of the file | refused |
//! | a disk that is full is exit code 1, and leaves an empty or shortened file | is 3, as whatever cannot be written; the file stays as it was |
//! | `edit --show-master-keys` drops what is changed | refused |
//! | `--kms`, `--pgp` and the other kinds of keys, `--keyservice`, `--encryption-context`, `--aws-profile` | refused by name: age and SSH keys are built |
//! | `decrypt --extract '["map"][0]'` prints the inside of the program | refused |
//! | | `encrypt --onto OLD` keeps the ciphertext of what did not change |
